package handlers

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
)

// carriers are the ways to send a token.
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

// accepted sends requests in parallel and counts how many are accepted.
func (h *harness) accepted(times int, carry func(*http.Request)) (n int) {
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

// revocations are the requests that revoke a token.
func revocations(h *harness) map[string]func(uid uint32, account, token string) {
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

// TestRevocationIsImmediate: for each way to revoke a token and each way to send it, 10,000
// requests after the response are rejected.
func TestRevocationIsImmediate(t *testing.T) {
	h := newHarness(t, auth.Options{})
	for name, revoke := range revocations(h) {
		t.Run(name, func(t *testing.T) {
			h.t = t
			uid, account, token := h.newUser()
			for carrier, carry := range carriers(token) {
				if n := h.accepted(2, carry); n != 2 {
					t.Fatalf("before, as %s: %d of 2 accepted", carrier, n)
				}
			}
			revoke(uid, account, token)
			for carrier, carry := range carriers(token) {
				if n := h.accepted(2500, carry); n != 0 {
					t.Errorf("as %s: %d of 2,500 accepted", carrier, n)
				}
			}
		})
	}
}

// TestRevokeOthersKeepsCurrent: revoking all other tokens keeps the current one, also for an
// administrator under /v1/user/:uid.
func TestRevokeOthersKeepsCurrent(t *testing.T) {
	h := newHarness(t, auth.Options{})
	_, account, token := h.newUser()
	h.login(account, "secret1")
	for _, all := range []string{"true", "0", "", "1&all=0"} {
		h.with(token, "DELETE", "/v1/tokens?all="+all, "", 400)
	}
	h.with(token, "DELETE", "/v1/tokens", "", 202)
	if n := len(h.with(token, "GET", "/v1/tokens", "", 200)["tokens"].([]any)); n != 1 {
		t.Errorf("%d tokens remain", n)
	}
	h.with(h.admin, "DELETE", "/v1/user/1/tokens", "", 202)
	h.with(h.admin, "GET", "/v1/users", "", 200)
}

// TestLogoutWhileStale: a logout that cannot be confirmed is an error, not a success.
func TestLogoutWhileStale(t *testing.T) {
	h := newHarness(t, auth.Options{Lag: time.Nanosecond})
	if w := h.ask("POST", "/logout", "", "Cookie: "+wire.CookieName(false, false)+"="+h.admin); w.Code != 503 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
