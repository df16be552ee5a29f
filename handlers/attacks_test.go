package handlers

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
)

// serviceToken issues a service token that lives for half a minute.
func (h *harness) serviceToken(uid uint32, scope string) string {
	h.t.Helper()
	issued, err := h.authority.IssueFor(h.t.Context(),
		auth.IssueRequest{UID: uid, TTL: 30 * time.Second, Scope: scope, Label: "backup"})
	must(h.t, err)
	return issued.Token
}

// sendForm sends a form as a browser with a session does.
func (h *harness) sendForm(token, target string, form url.Values) *httptest.ResponseRecorder {
	return h.ask("POST", target, form.Encode(), "Content-Type: application/x-www-form-urlencoded",
		"Cookie: "+wire.CookieName(false, false)+"="+token)
}

// refused requires that a request with a token is rejected because of the token's kind.
func (h *harness) refused(token, method, target, body string) {
	h.t.Helper()
	w := h.ask(method, target, body, "Authorization: Bearer "+token)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "this requires a login token") {
		h.t.Errorf("%s %s %s: %d %s, want 403", method, target, body, w.Code, w.Body)
	}
}

// TestServiceTokenBecomesNoLogin: an administrator's service token creates no reset link, not even
// for its own account, gives nobody a role, and does not touch its own account.
func TestServiceTokenBecomesNoLogin(t *testing.T) {
	h := newHarness(t, auth.Options{})
	uid, _, victim := h.newUser()
	user, service := fmt.Sprintf("/v1/user/%d", uid), h.serviceToken(1, "AdminScope")
	h.refused(service, "POST", "/v1/user/1/secret", "")
	h.refused(service, "POST", user+"/secret", "")
	h.refused(service, "PUT", user, `{"role":"admin"}`)
	h.refused(service, "PUT", user, `{"state":"disabled","role":"admin"}`)
	h.refused(service, "PUT", user, `{"nickname":"Eve"}`)
	h.refused(service, "DELETE", user, "")
	h.refused(service, "PUT", "/v1/user/1", `{"state":"disabled"}`)
	h.refused(service, "DELETE", "/v1/user/1", "")
	h.refused(service, "DELETE", "/v1/user/1/tokens", "")
	h.refused(service, "DELETE", "/v1/user/1/tokens?all=1", "")
	h.refused(service, "DELETE", "/v1/user/1/tokens/"+h.idOf(h.admin), "")
	h.with(victim, "GET", "/v1/user", "", 200)
	h.with(h.admin, "GET", "/v1/users", "", 200)

	// What it may do.
	h.with(service, "GET", "/v1/users", "", 200)
	h.with(service, "GET", user+"/tokens", "", 200)
	h.with(service, "DELETE", user+"/tokens/"+h.idOf(victim), "", 202)
	h.with(service, "DELETE", user+"/tokens", "", 202)
	h.with(service, "PUT", user, `{"state":"disabled"}`, 200)
	h.with(service, "PUT", user, `{"state":"active"}`, 200)
	h.with(service, "DELETE", "/v1/token", "", 202)
}

// TestServiceTokenKeepsItsOwnersAccount: a service token revokes no login of its owner, and neither
// changes nor deletes the account, through the API and in a browser.
func TestServiceTokenKeepsItsOwnersAccount(t *testing.T) {
	h := newHarness(t, auth.Options{})
	uid, account, login := h.newUser()
	service := h.serviceToken(uid, "UserScope")
	h.refused(service, "DELETE", "/v1/tokens", "")
	h.refused(service, "DELETE", "/v1/tokens?all=1", "")
	h.refused(service, "DELETE", "/v1/tokens/"+h.idOf(login), "")
	h.refused(service, "PUT", "/v1/user", `{"nickname":"Eve"}`)
	h.refused(service, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`)
	h.refused(service, "POST", "/v1/tokens", `{"label":"x","lifetime":60}`)
	h.refused(service, "POST", "/v1/token/renew", "")
	h.refused(service, "DELETE", "/v1/user", "")
	for target, form := range map[string]url.Values{
		"/account/token":             nil,
		"/account/tokens":            {"label": {"x"}, "lifetime": {"60"}},
		"/account/tokens/end":        {"id": {h.idOf(login)}},
		"/account/tokens/end-others": nil,
		"/account/nickname":          {"nickname": {"Eve"}},
		"/account/secret":            {"old": {"secret1"}, "new": {"secret2"}},
	} {
		if w := h.sendForm(service, target, form); w.Code != 403 {
			t.Errorf("%s: %d, want 403", target, w.Code)
		}
	}
	if got := h.with(login, "GET", "/v1/user", "", 200); got["nickname"] != "Ann" {
		t.Errorf("%v", got)
	}
	h.login(account, "secret1")
	h.with(service, "GET", "/v1/tokens", "", 200)
	h.with(service, "DELETE", "/v1/token", "", 202)
}

// TestNarrowTokenSpendsNoAttempts: a thief guesses the password and sends a token of the account
// with each login. The owner changes the password all the same, and logs in with a token.
func TestNarrowTokenSpendsNoAttempts(t *testing.T) {
	for _, scope := range []string{"read", "UserScope"} {
		t.Run(scope, func(t *testing.T) {
			frozen(t, func(t *testing.T) { testNarrowTokenSpendsNoAttempts(t, scope) })
		})
	}
}

func testNarrowTokenSpendsNoAttempts(t *testing.T, scope string) {
	h := newHarness(t, auth.Options{Scopes: []string{"read"}})
	uid, account, token := h.newUser()
	stolen := h.serviceToken(uid, scope)
	attempt := func(token, password string) int {
		body := fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, password)
		return h.ask("POST", "/v1/token", body, "Authorization: Bearer "+token).Code
	}
	statuses := map[int]int{}
	for range 15 {
		statuses[attempt(stolen, "wrong-1")]++
	}
	if statuses[401] != 10 || statuses[429] != 5 {
		t.Errorf("the thief: %v", statuses)
	}
	if got := attempt(token, "secret1"); got != 201 {
		t.Errorf("a login with the owner's token: %d, want 201", got)
	}
	h.with(token, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`, 200)
}

// TestStolenSessionSpendsItsOwnAttempts: a thief with a login token guesses the password until its
// session has no attempts left. The owner changes the password in another session.
func TestStolenSessionSpendsItsOwnAttempts(t *testing.T) {
	frozen(t, testStolenSessionSpendsItsOwnAttempts)
}

func testStolenSessionSpendsItsOwnAttempts(t *testing.T) {
	h := newHarness(t, auth.Options{})
	_, account, stolen := h.newUser()
	const wrong = `{"old":"wrong-1","new":"secret2"}`
	for range 10 {
		h.with(stolen, "PUT", "/v1/user/secret", wrong, 400)
	}
	h.with(stolen, "PUT", "/v1/user/secret", wrong, 429)
	time.Sleep(time.Second) // sessions are told apart by the second of their login
	token := h.login(account, "secret1")
	h.with(token, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`, 200)
}
