package handlers

import (
	"net/http/httptest"
	"strings"
	"testing"

	"latchkey/auth"
)

// identityHeaders are the headers that a proxy copies. A missing one would let a client send its
// own.
var identityHeaders = []string{"X-Auth-Uid", "X-Auth-Account", "X-Auth-Type", "X-Auth-Scope", "X-Auth-Token-Id"}

func TestVerify(t *testing.T) {
	h := newHarness(t, auth.Options{Scopes: []string{"read", "metrics"}})
	_, account, user := h.newUser()
	read := h.with(user, "POST", "/v1/tokens", `{"label":"x","scope":"read","lifetime":86400}`, 201)["token"].(string)
	tests := []struct {
		name, token, query string
		want               int
	}{
		{"OK", user, "", 200}, {"OK/named scope", user, "?scope=read", 200}, {"OK/own scope", read, "?scope=read", 200},
		{"OK/any", user, "?scope=any", 200}, {"OK/narrow, any", read, "?scope=any", 200},
		{"ErrScope/narrow, none named", read, "", 403}, {"ErrScope/narrow, another parameter", read, "?a=any", 403},
		{"ErrScope/any and another", read, "?scope=any&scope=metrics", 403},
		{"ErrScope/another and any", read, "?scope=metrics&scope=any", 403},
		{"ErrScope/a client adds any", read, "?scope=UserScope&scope=any", 403},
		{"ErrScope/not any", user, "?scope=Any", 403}, {"OK/a client's query", user, "?a=%zz&;;&scop=x&SCOPE=y", 200},
		{"OK/both", user, "?scope=read&scope=metrics", 200}, {"OK/administrator", h.admin, "?scope=AdminScope", 200},
		{"ErrScope", read, "?scope=metrics", 403}, {"ErrScope/more than a user", user, "?scope=AdminScope", 403},
		{"ErrScope/a client adds a weaker scope", read, "?scope=metrics&scope=read", 403},
		{"ErrScope/in the other order", read, "?scope=read&scope=metrics", 403},
		{"ErrScope/escaped", read, "?%73cope=metrics", 403}, {"ErrScope/unknown", h.admin, "?scope=nothing", 403},
		{"ErrScope/empty", h.admin, "?scope=", 403}, {"ErrScope/unreadable", h.admin, "?scope=%zz", 403},
		{"ErrTokenInvalid", "", "", 401}, {"ErrTokenInvalid/before the scope", "x", "?scope=nothing", 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := h.ask("GET", "/v1/verify"+test.query, "", "Authorization: Bearer "+test.token)
			if w.Code != test.want {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, test.want)
			}
			for _, name := range identityHeaders {
				if n := len(w.Header().Values(name)); (n == 1) != (test.want == 200) || n > 1 {
					t.Errorf("%s: %v", name, w.Header().Values(name))
				}
			}
		})
	}
	w := h.ask("GET", "/v1/verify", "", "Authorization: Bearer "+user)
	got := make([]string, 0, len(identityHeaders))
	for _, name := range identityHeaders {
		got = append(got, w.Header().Get(name))
	}
	if want := "2 " + account + " 100 UserScope " + h.idOf(user); strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestVerifyAnything: no method and no header changes the verdict. The status is 200 with a valid
// token and 401 without, and never another, which proxies would treat as a failure.
func TestVerifyAnything(t *testing.T) {
	h := newHarness(t, auth.Options{})
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "X"}
	oddities := []string{"Content-Type: text/html", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site",
		"Content-Length: 99999999", "X-Auth-Uid: 1", "X-Forwarded-Uri: /healthz", "X-Original-Method: OPTIONS",
		"User-Agent: GoogleHC/1.0", "X-Forwarded-Proto: https", "Range: bytes=0-1", "Expect: x", "Accept: text/html",
		"X-HTTP-Method-Override: GET", "Connection: X-Auth-Uid", "X-Request-Id: \x7f"}
	for _, method := range methods {
		for _, odd := range oddities {
			for credential, want := range map[string]int{
				"Bearer " + h.admin: 200, "Bearer x": 401, "": 401, "Basic !!!": 401, "Digest x": 401,
			} {
				name, value, _ := strings.Cut(odd, ": ")
				r := httptest.NewRequest(method, "/v1/verify", strings.NewReader("a body"))
				r.Header.Set(name, value)
				r.Header.Set("Authorization", credential)
				r.Host = "bad'host"
				r.ContentLength = 99999999
				w := httptest.NewRecorder()
				h.server.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s with %s and %.8q: %d, want %d", method, odd, credential, w.Code, want)
				}
				if got := w.Header().Values("X-Auth-Uid"); want == 200 && (len(got) != 1 || got[0] != "1") {
					t.Errorf("%s with %s: X-Auth-Uid %v", method, odd, got)
				}
			}
		}
	}
}
