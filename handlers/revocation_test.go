package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/models/modelstest"
)

// house is a server over a new store with an administrator, in this process.
type house struct {
	t         *testing.T
	server    *Server
	authority *auth.Authority
	admin     string // token
	accounts  int
}

func newHouse(t *testing.T, options auth.Options, configure ...func(*Config)) *house {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	secret, err := auth.CreateMasterKey(path)
	must(t, err)
	store, err := modelstest.Open(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	ring, err := auth.LoadKeyRing(t.Context(), store, secret, path)
	must(t, err)
	if options.Lag == 0 {
		options.Lag = time.Hour // nobody follows
	}
	options.Params = auth.Params{MemoryKiB: 7168, Time: 1, Threads: 1}
	authority, err := auth.NewAuthority(t.Context(), store, ring, options)
	must(t, err)
	config := Config{Store: store, Authority: authority, Logger: slog.New(slog.DiscardHandler), RegistrationOpen: true,
		MinPassword: 6}
	for _, change := range configure {
		change(&config)
	}
	h := &house{t: t, authority: authority, server: New(config)}
	_, err = authority.Register(t.Context(), auth.Registration{Account: "root@example.com",
		Password: "secret1", Nickname: "Root", ClientType: models.EMail}, models.RoleAdministrator)
	must(t, err)
	h.admin = h.login("root@example.com", "secret1")
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends a request; headers are "Name: value".
func (h *house) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

// with asks with a token and expects a status; the answer is decoded.
func (h *house) with(token, method, target, body string, status int) map[string]any {
	h.t.Helper()
	w := h.ask(method, target, body, "Authorization: Bearer "+token)
	if w.Code != status {
		h.t.Fatalf("%s %s %s: %d %s, want %d", method, target, body, w.Code, w.Body, status)
	}
	var answer map[string]any
	must(h.t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer
}

func (h *house) login(account, secret string) string {
	h.t.Helper()
	w := h.ask("POST", "/v1/token", fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, secret))
	var answer struct{ Token string }
	must(h.t, json.Unmarshal(w.Body.Bytes(), &answer))
	if w.Code != http.StatusCreated {
		h.t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return answer.Token
}

// newcomer makes an account and logs it in.
func (h *house) newcomer() (uid uint32, account, token string) {
	h.t.Helper()
	h.accounts++
	account = fmt.Sprintf("user%d@example.com", h.accounts)
	user, err := h.authority.Register(h.t.Context(), auth.Registration{Account: account,
		Password: "secret1", Nickname: "Ann", ClientType: models.EMail}, models.RoleUser)
	must(h.t, err)
	return user.ID, account, h.login(account, "secret1")
}

func (h *house) idOf(token string) string {
	h.t.Helper()
	i, err := h.authority.Verify(token)
	must(h.t, err)
	return i.TokenID.String()
}

// carriers are the ways in which a request carries a token.
func carriers(token string) map[string]func(*http.Request) {
	return map[string]func(*http.Request){
		"Basic user name": func(r *http.Request) { r.SetBasicAuth(token, "") },
		"Basic password":  func(r *http.Request) { r.SetBasicAuth("anyname", token) },
		"Bearer":          func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"cookie": func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: wire.CookieName(false, false), Value: token})
		},
	}
}

// accepted counts how many of so many requests get in, in parallel.
func (h *house) accepted(times int, carry func(*http.Request)) (n int) {
	var wait sync.WaitGroup
	counts := make([]int, 2)
	for part := range counts {
		wait.Go(func() {
			for range times / len(counts) {
				r := httptest.NewRequest("GET", "/v1/user", nil)
				carry(r)
				w := httptest.NewRecorder()
				h.server.ServeHTTP(w, r)
				if w.Code != 401 || !strings.Contains(w.Body.String(), `"error_code":1002,"msg":"token is invalid"`) {
					counts[part]++
				}
			}
		})
	}
	wait.Wait()
	return counts[0] + counts[1]
}

// endings are the ways in which the answer to a request ends a token.
func endings(h *house) map[string]func(uid uint32, account, token string) {
	user := func(uid uint32) string { return "/v1/user/" + strconv.Itoa(int(uid)) }
	return map[string]func(uid uint32, account, token string){
		"DELETE /v1/token":        func(_ uint32, _, token string) { h.with(token, "DELETE", "/v1/token", "", 202) },
		"DELETE /v1/tokens?all=1": func(_ uint32, _, token string) { h.with(token, "DELETE", "/v1/tokens?all=1", "", 202) },
		"DELETE /v1/tokens, by another": func(_ uint32, account, _ string) {
			h.with(h.login(account, "secret1"), "DELETE", "/v1/tokens", "", 202)
		},
		"DELETE /v1/tokens/:id, by another": func(_ uint32, account, token string) {
			h.with(h.login(account, "secret1"), "DELETE", "/v1/tokens/"+h.idOf(token), "", 202)
		},
		"DELETE /v1/user/:uid/tokens": func(uid uint32, _, _ string) {
			h.with(h.admin, "DELETE", user(uid)+"/tokens", "", 202)
		},
		"DELETE /v1/user/:uid/tokens/:id": func(uid uint32, _, token string) {
			h.with(h.admin, "DELETE", user(uid)+"/tokens/"+h.idOf(token), "", 202)
		},
		"PUT /v1/user/secret": func(_ uint32, _, token string) {
			h.with(token, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`, 200)
		},
		"a reset link": func(uid uint32, _, _ string) {
			link, _ := h.with(h.admin, "POST", user(uid)+"/secret", "", 201)["link"].(string)
			_, reset, _ := strings.Cut(link, "?token=")
			must(h.t, h.authority.Reset(h.t.Context(), reset, "secret2", ""))
		},
		"PUT /v1/user/:uid role": func(uid uint32, _, _ string) {
			h.with(h.admin, "PUT", user(uid), `{"role":"admin"}`, 200)
		},
		"PUT /v1/user/:uid state": func(uid uint32, _, _ string) {
			h.with(h.admin, "PUT", user(uid), `{"state":"disabled"}`, 200)
		},
		"DELETE /v1/user":      func(_ uint32, _, token string) { h.with(token, "DELETE", "/v1/user", "", 202) },
		"DELETE /v1/user/:uid": func(uid uint32, _, _ string) { h.with(h.admin, "DELETE", user(uid), "", 202) },
		"POST /logout": func(_ uint32, _, token string) {
			if w := h.ask("POST", "/logout", "", "Cookie: "+wire.CookieName(false, false)+"="+token); w.Code != 303 {
				h.t.Errorf("%d %s", w.Code, w.Body)
			}
		},
		"a retired key": func(_ uint32, _, _ string) {
			keys, err := h.authority.Keys(h.t.Context())
			must(h.t, err)
			must(h.t, h.authority.RetireKey(h.t.Context(), keys[0].ID, true))
			h.admin = h.login("root@example.com", "secret1")
		},
	}
}

// TestEveryEndIsImmediate: each way to end a token × each way to carry it: after the answer it is refused,
// 10,000 times.
func TestEveryEndIsImmediate(t *testing.T) {
	h := newHouse(t, auth.Options{})
	for name, end := range endings(h) {
		t.Run(name, func(t *testing.T) {
			h.t = t
			uid, account, token := h.newcomer()
			for carrier, carry := range carriers(token) {
				if n := h.accepted(2, carry); n != 2 {
					t.Fatalf("before, as %s: %d of 2 accepted", carrier, n)
				}
			}
			end(uid, account, token)
			for carrier, carry := range carriers(token) {
				if n := h.accepted(2500, carry); n != 0 {
					t.Errorf("as %s: %d of 2,500 accepted", carrier, n)
				}
			}
		})
	}
}

// TestEndOthersKeepsThisOne: and an administrator who ends the own tokens stays signed in.
func TestEndOthersKeepsThisOne(t *testing.T) {
	h := newHouse(t, auth.Options{})
	_, account, token := h.newcomer()
	h.login(account, "secret1")
	for _, all := range []string{"true", "0", "", "1&all=0"} {
		h.with(token, "DELETE", "/v1/tokens?all="+all, "", 400)
	}
	h.with(token, "DELETE", "/v1/tokens", "", 202)
	if n := len(h.with(token, "GET", "/v1/tokens", "", 200)["tokens"].([]any)); n != 1 {
		t.Errorf("%d tokens are left", n)
	}
	h.with(h.admin, "DELETE", "/v1/user/1/tokens", "", 202)
	h.with(h.admin, "GET", "/v1/users", "", 200)
}

// TestTokenList: what a list says, page by page.
func TestTokenList(t *testing.T) {
	h := newHouse(t, auth.Options{Scopes: []string{"read"}})
	_, _, token := h.newcomer()
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
		"last use": login["last_used_at"] != nil && now-login["last_used_at"].(float64) < 60,
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
	// The service's token may nothing here but end itself.
	reader := made["token"].(string)
	for _, target := range []string{"GET /v1/user", "GET /v1/tokens", "POST /v1/tokens", "POST /v1/token/renew"} {
		method, path, _ := strings.Cut(target, " ")
		h.with(reader, method, path, "", 403)
	}
	h.with(reader, "DELETE", "/v1/token", "", 202)
	h.with(reader, "DELETE", "/v1/token", "", 401)
}

// TestForeignTokens: nobody but an administrator sees or ends somebody else's.
func TestForeignTokens(t *testing.T) {
	h := newHouse(t, auth.Options{})
	uid, _, victim := h.newcomer()
	_, _, other := h.newcomer()
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

// TestChangeUser: what an administrator may change, and what bad input says.
func TestChangeUser(t *testing.T) {
	h := newHouse(t, auth.Options{})
	uid, _, token := h.newcomer()
	path := fmt.Sprintf("/v1/user/%d", uid)
	for body, want := range map[string]string{
		`{}`: "body:[Give a role, a state or a nickname.]", `{"role":"root"}`: "role:[This is user or admin.]",
		`{"role":1}`: "role:[This field must be text.]", `{"state":"gone"}`: "state:[This is active or disabled.]",
		`{"nickname":"x"}`: "nickname:[Field must be between 2 and 22 characters long.]",
	} {
		got := h.with(h.admin, "PUT", path, body, 400)
		if got["error_code"] != 1000.0 || fmt.Sprint(got["msg"]) != "map["+want+"]" {
			t.Errorf("%s: %v", body, got)
		}
	}
	if got := h.with(h.admin, "PUT", path, `{"nickname":"Bob","role":"user"}`, 200); got["nickname"] != "Bob" {
		t.Errorf("%v", got)
	}
	h.with(token, "GET", "/v1/user", "", 200) // the same role: its tokens stay
	if got := h.with(h.admin, "PUT", "/v1/user/1", `{"role":"user"}`, 409); got["error_code"] != 1103.0 {
		t.Errorf("the last administrator: %v", got)
	}
	for _, path := range []string{"/v1/user", "/v1/user/1"} {
		if got := h.with(h.admin, "DELETE", path, "", 409); got["error_code"] != 1103.0 {
			t.Errorf("the last administrator: %v", got)
		}
	}
	h.with(h.admin, "GET", "/v1/users", "", 200)
	h.with(h.admin, "PUT", path, `{"role":"admin"}`, 200)
	h.with(h.admin, "PUT", "/v1/user/1", `{"state":"disabled"}`, 200)
	h.with(h.admin, "GET", "/v1/users", "", 401)
}

// TestChangeMe: a nickname keeps the tokens, a secret ends them and needs the old one.
func TestChangeMe(t *testing.T) {
	h := newHouse(t, auth.Options{})
	_, account, token := h.newcomer()
	if got := h.with(token, "PUT", "/v1/user", `{"nickname":"Äöü"}`, 200); got["nickname"] != "Äöü" {
		t.Errorf("%v", got)
	}
	for body, want := range map[string]string{
		`{}`:                               "map[new:[This field is required.] old:[This field is required.]]",
		`{"old":"wrong","new":"secret2"}`:  "map[old:[This is not your present secret.]]",
		`{"old":"secret1","new":"short"}`:  "map[new:[At least 6 characters.]]",
		`{"old":["secret1"],"new":123456}`: "map[new:[This field must be text.] old:[This field must be text.]]",
	} {
		got := h.with(token, "PUT", "/v1/user/secret", body, 400)
		if fmt.Sprint(got["msg"]) != want {
			t.Errorf("%s: %v", body, got["msg"])
		}
	}
	h.with(token, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`, 200)
	h.login(account, "secret2")
	old := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100}`, account)
	if w := h.ask("POST", "/v1/token", old); w.Code != 401 {
		t.Errorf("the old secret: %d", w.Code)
	}
}

// TestUserSearch: by account and nickname, in any case, page by page; a wildcard is a character like others.
func TestUserSearch(t *testing.T) {
	h := newHouse(t, auth.Options{})
	h.newcomer()
	_, _, token := h.newcomer()
	h.with(token, "PUT", "/v1/user", `{"nickname":"Ünal 100%"}`, 200)
	for query, want := range map[string]int{
		"": 3, "?q=USER": 2, "?q=ünal": 1, "?q=%C3%9CNAL": 1, "?q=%25": 1, "?q=_": 0, "?q=nobody": 0,
		"?limit=2": 2, "?after=2": 1, "?q=root%40": 1, `?q=%5C`: 0,
	} {
		if got := h.with(h.admin, "GET", "/v1/users"+query, "", 200)["users"].([]any); len(got) != want {
			t.Errorf("%s: %d users, want %d", query, len(got), want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=1001", "?after=-1", "?after=x", "?q=%00", "?q=%ff"} {
		h.with(h.admin, "GET", "/v1/users"+query, "", 400)
	}
}

// TestResetLink: one use, one link at a time, nothing for a disabled account.
func TestResetLink(t *testing.T) {
	h := newHouse(t, auth.Options{})
	uid, account, _ := h.newcomer()
	path := fmt.Sprintf("/v1/user/%d", uid)
	link := func() string {
		link, _ := h.with(h.admin, "POST", path+"/secret", "", 201)["link"].(string)
		_, token, _ := strings.Cut(link, "http://example.com/reset?token=")
		return token
	}
	first, second := link(), link()
	reset := func(token string) error { return h.authority.Reset(t.Context(), token, "secret2", "") }
	if err := reset(first); err == nil {
		t.Error("a link that was replaced works")
	}
	if _, err := h.authority.Verify(second); err == nil {
		t.Error("the credential of a link is accepted as a token")
	}
	var wait sync.WaitGroup
	results := make(chan error, 4)
	for range cap(results) {
		wait.Go(func() { results <- reset(second) })
	}
	wait.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("a link was used %d times", won)
	}
	h.login(account, "secret2")
	third := link()
	h.with(h.admin, "PUT", path, `{"state":"disabled"}`, 200)
	if err := reset(third); err == nil {
		t.Error("a link of a disabled account works")
	}
	h.with(h.admin, "POST", path+"/secret", "", 404)
}

// TestLogoutWhileStale: nobody is told that a token has ended that may go on.
func TestLogoutWhileStale(t *testing.T) {
	h := newHouse(t, auth.Options{Lag: time.Nanosecond})
	if w := h.ask("POST", "/logout", "", "Cookie: "+wire.CookieName(false, false)+"="+h.admin); w.Code != 503 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestSetupLinkIsSpent: a link that made an administrator works no longer, not even when that one is gone.
func TestSetupLinkIsSpent(t *testing.T) {
	h := newHouse(t, auth.Options{})
	link, err := h.authority.SetupToken()
	must(t, err)
	must(t, h.authority.Delete(t.Context(), 1, false))
	if err := h.authority.CheckSetup(t.Context(), link); !errors.Is(err, models.ErrSetupDone) && err == nil {
		t.Error("the link works again")
	}
}

// TestShortTokenStaysShort: one that was issued for a time cannot be made to last longer.
func TestShortTokenStaysShort(t *testing.T) {
	h := newHouse(t, auth.Options{})
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

// TestLimits: a body of 16 KiB is read, one byte more is not; a Host that is none is refused.
func TestLimits(t *testing.T) {
	h := newHouse(t, auth.Options{})
	for size, want := range map[int]int{16 << 10: 400, 16<<10 + 1: 413} {
		body := `{"account":"` + strings.Repeat("a", size-len(`{"account":""}`)) + `"}`
		if w := h.ask("POST", "/v1/token", body); w.Code != want {
			t.Errorf("%d bytes: %d, want %d", size, w.Code, want)
		}
	}
	for host, want := range map[string]int{"a'b": 400, "a b": 400, "<x>": 400, "[::1]:80": 200, "a-b.example:1": 200} {
		r := httptest.NewRequest("GET", "/account", nil)
		r.Host = host
		r.AddCookie(&http.Cookie{Name: wire.CookieName(false, false), Value: h.admin})
		w := httptest.NewRecorder()
		h.server.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

// TestLogHoldsNoSecret: not in a path that was mistyped, however long, nor from a form that is none.
func TestLogHoldsNoSecret(t *testing.T) {
	h := newHouse(t, auth.Options{})
	var log strings.Builder
	h.server.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for pad := range 300 {
		h.ask("GET", "/a/"+strings.Repeat("a/", pad)+h.admin, "")
	}
	h.ask("POST", "/login", "secret=pa%zzword", "Content-Type: application/x-www-form-urlencoded")
	for _, secret := range []string{h.admin[:20], "%zz", "zzword"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
}
