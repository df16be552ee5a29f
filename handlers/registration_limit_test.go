package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
)

// registerWays are the ways to register: they return the request.
func registerWays() map[string]func(account, password string) *http.Request {
	return map[string]func(account, password string) *http.Request{
		"API": func(account, password string) *http.Request {
			r := httptest.NewRequest("POST", "/v1/client/register", strings.NewReader(fmt.Sprintf(
				`{"account":%q,"secret":%q,"nickname":"Ann","type":100}`, account, password)))
			r.Header.Set("Content-Type", "application/json")
			return r
		},
		"page": func(account, password string) *http.Request {
			form := url.Values{"account": {account}, "secret": {password}, "nickname": {"Ann"}}.Encode()
			r := httptest.NewRequest("POST", "/register", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		},
	}
}

// TestRegistrationIsLimited: registrations of a network count, also those of accounts that are
// taken. A registration with another problem does not count, and does not say whether its account
// is taken. Logins have limits of their own, and loopback has none.
func TestRegistrationIsLimited(t *testing.T) {
	for name, way := range registerWays() {
		t.Run(name, func(t *testing.T) {
			frozen(t, func(t *testing.T) { testRegistrationIsLimited(t, way) })
		})
	}
}

func testRegistrationIsLimited(t *testing.T, way func(account, password string) *http.Request) {
	const taken, address = "root@example.com", "192.0.2.1:1"
	h := newHarness(t, auth.Options{NetworkAttempts: 4})
	for range 10 {
		w := h.send(way(taken, "short"), address)
		if strings.Contains(w.Body.String(), "already registered") {
			t.Fatalf("a registration with a short password says that the account is taken: %s", w.Body)
		}
	}
	for n := range 2 {
		if w := h.send(way(fmt.Sprintf("new%d@example.com", n), "secret1"), address); w.Code >= 400 {
			t.Errorf("registration %d: %d %s", n, w.Code, w.Body)
		}
		w := h.send(way(taken, "secret1"), address)
		if !strings.Contains(w.Body.String(), "already registered") {
			t.Errorf("a taken account: %d %s", w.Code, w.Body)
		}
	}
	for _, account := range []string{taken, "new9@example.com"} {
		w := h.send(way(account, "secret1"), address)
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" ||
			!strings.Contains(strings.ToLower(w.Body.String()), "too many registrations") {
			t.Errorf("%s, one too many: %d %v %s", account, w.Code, w.Header(), w.Body)
		}
	}
	if w := h.send(loginWays()["JSON"].request("new0@example.com", "secret1"), address); w.Code != 201 {
		t.Errorf("a login: %d %s", w.Code, w.Body)
	}
	for name, other := range map[string]string{"another network": "192.0.2.2:1", "loopback": "127.0.0.1:1"} {
		if w := h.send(way(taken, "secret1"), other); w.Code == 429 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	time.Sleep(time.Hour)
	if w := h.send(way("new9@example.com", "secret1"), address); w.Code >= 400 {
		t.Errorf("an hour later: %d %s", w.Code, w.Body)
	}
}

// TestRegistrationsFromOnePrefix: the networks of a /48 share their registrations. Loopback may
// register without a limit.
func TestRegistrationsFromOnePrefix(t *testing.T) {
	frozen(t, func(t *testing.T) {
		h := newHarness(t, auth.Options{NetworkAttempts: 1})
		answered := map[bool]int{}
		for n := range 100 {
			r := registerWays()["API"]("root@example.com", "secret1")
			w := h.send(r, fmt.Sprintf("[2001:db8:0:%x::1]:1", n*259))
			answered[w.Code == 429]++
			if w := h.send(registerWays()["API"]("root@example.com", "secret1"), "127.0.0.1:1"); w.Code != 400 {
				t.Fatalf("loopback: %d %s", w.Code, w.Body)
			}
		}
		if answered[false] != 16 {
			t.Errorf("%d of 100 were answered, want 16", answered[false])
		}
	})
}
