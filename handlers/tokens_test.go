package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
)

// TestTokenList: the members of a listed token, and paging.
func TestTokenList(t *testing.T) { frozen(t, testTokenList) }

func testTokenList(t *testing.T) {
	h := newHarness(t, auth.Options{Scopes: []string{"read"}})
	_, _, token := h.newUser()
	made := h.with(token, "POST", "/v1/tokens", `{"label":"CI <b>","scope":"read","lifetime":86400}`, 201)
	list := h.with(token, "GET", "/v1/tokens", "", 200)["tokens"].([]any)
	if len(list) != 2 {
		t.Fatalf("%v", list)
	}
	service, login := list[0].(map[string]any), list[1].(map[string]any)
	if service["id"] != made["id"] {
		service, login = login, service
	}
	now := float64(time.Now().Unix())
	for what, holds := range map[string]bool{
		"service": service["kind"] == "service" && service["label"] == "CI <b>" && service["scope"] == "read" &&
			service["type"] == 100.0 && service["current"] == false && service["expires_soon"] == true &&
			service["last_used_at"] == nil,
		"login": login["kind"] == "login" && login["current"] == true && login["expires_soon"] == false &&
			login["scope"] == "UserScope" && login["address"] == "192.0.2.1",
		"last use": login["last_used_at"] == now,
		"expiry":   service["expires_at"].(float64)-service["issued_at"].(float64) == 86400,
		"no token": !strings.Contains(fmt.Sprint(list), token),
	} {
		if !holds {
			t.Errorf("%s: %v", what, list)
		}
	}
	first := h.with(token, "GET", "/v1/tokens?limit=1", "", 200)
	second := h.with(token, "GET", "/v1/tokens?limit=1&before="+first["next"].(string), "", 200)
	third := h.with(token, "GET", "/v1/tokens?limit=1&before="+second["next"].(string), "", 200)
	if len(third["tokens"].([]any)) != 0 || third["next"] != nil {
		t.Errorf("a third page: %v", third)
	}
	// A narrow service token may only revoke itself.
	reader := made["token"].(string)
	for _, target := range []string{"GET /v1/user", "GET /v1/tokens", "POST /v1/tokens", "POST /v1/token/renew"} {
		method, path, _ := strings.Cut(target, " ")
		h.with(reader, method, path, "", 403)
	}
	h.with(reader, "DELETE", "/v1/token", "", 202)
	h.with(reader, "DELETE", "/v1/token", "", 401)
}

// TestForeignTokens: only an administrator can list or revoke another user's tokens.
func TestForeignTokens(t *testing.T) {
	h := newHarness(t, auth.Options{})
	uid, _, victim := h.newUser()
	_, _, other := h.newUser()
	id, path := h.idOf(victim), fmt.Sprintf("/v1/user/%d", uid)
	h.with(other, "DELETE", "/v1/tokens/"+id, "", 404)
	h.with(other, "DELETE", "/v1/tokens/nonsense", "", 404)
	h.with(other, "GET", path+"/tokens", "", 403)
	h.with(other, "DELETE", path+"/tokens", "", 403)
	h.with(other, "DELETE", path+"/tokens/"+id, "", 403)
	h.with(other, "PUT", path, `{"role":"admin"}`, 403)
	h.with(other, "POST", path+"/secret", "", 403)
	h.with(other, "GET", "/v1/users", "", 403)
	h.with(h.admin, "DELETE", "/v1/user/1/tokens/"+id, "", 404)
	h.with(h.admin, "GET", "/v1/user/999/tokens", "", 404)
	h.with(h.admin, "GET", "/v1/user/99999999999/tokens", "", 404)
	h.with(victim, "GET", "/v1/user", "", 200)
	if n := len(h.with(h.admin, "GET", path+"/tokens", "", 200)["tokens"].([]any)); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// TestShortTokenStaysShort: a token with a fixed lifetime cannot be renewed or create others.
func TestShortTokenStaysShort(t *testing.T) { frozen(t, testShortTokenStaysShort) }

func testShortTokenStaysShort(t *testing.T) {
	h := newHarness(t, auth.Options{})
	issued, err := h.authority.IssueFor(t.Context(), auth.IssueRequest{UID: 1, TTL: time.Minute})
	must(t, err)
	h.with(issued.Token, "GET", "/v1/user", "", 200)
	h.with(issued.Token, "POST", "/v1/token/renew", "", 403)
	h.with(issued.Token, "POST", "/v1/tokens", `{"label":"x","lifetime":99999}`, 403)
	if w := h.ask("POST", "/account/token", "", "Cookie: "+wire.CookieName(false, false)+"="+issued.Token,
		"Content-Type: application/x-www-form-urlencoded"); w.Code != 403 {
		t.Errorf("in the browser: %d", w.Code)
	}
}

// TestTokenLimit: at the limit the API and the account page refuse a service token and say what to
// do, and a login still works.
func TestTokenLimit(t *testing.T) {
	h := newHarness(t, auth.Options{MaxTokens: 2})
	_, account, token := h.newUser()
	const body = `{"label":"CI","lifetime":60}`
	h.with(token, "POST", "/v1/tokens", body, 201)
	const sentence = "You have too many valid tokens: at most 2, and one place is kept for a login. " +
		"Revoke one that you no longer need, then try again."
	refused := h.with(token, "POST", "/v1/tokens", body, 400)
	if got := fmt.Sprint(refused["error_code"], refused["msg"]); got != "1000 map[label:["+sentence+"]]" {
		t.Errorf("the API: %s", got)
	}
	w := h.ask("POST", "/account/tokens", "label=CI&lifetime=60", "Cookie: "+
		wire.CookieName(false, false)+"="+token, "Content-Type: application/x-www-form-urlencoded")
	if w.Code != 422 || !strings.Contains(w.Body.String(), sentence) {
		t.Errorf("the page: %d %s", w.Code, w.Body)
	}
	next := h.login(account, "secret1")
	h.with(token, "GET", "/v1/user", "", 401)
	if n := len(h.with(next, "GET", "/v1/tokens", "", 200)["tokens"].([]any)); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
}
