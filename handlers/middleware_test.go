package handlers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"latchkey/auth"
	"latchkey/client/wire"
)

// TestHostHeader: a malformed Host header is rejected.
func TestHostHeader(t *testing.T) {
	h := newHarness(t, auth.Options{})
	for host, want := range map[string]int{
		"a'b": 400, "a b": 400, "<x>": 400, "[::1]:80": 200, "a-b.example:1": 200,
	} {
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
