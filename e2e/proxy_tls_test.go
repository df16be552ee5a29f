package e2e_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestBehindTLS runs the server behind a trusted proxy that terminates TLS. The session cookie has
// the __Host- prefix and is Secure, and the plain cookie is ignored. Without --trusted-proxy the
// proxy's headers change nothing.
func TestBehindTLS(t *testing.T) {
	t.Parallel()
	const https = "X-Forwarded-Proto: https"
	form := url.Values{"account": {"ann@example.com"}, "secret": {"secret1"}}.Encode()
	signIn := func(s *server) (cookie string) {
		t.Helper()
		account(t, s, "ann@example.com")
		got := request(t, "POST", s.URL+"/login", form, asForm, https)
		if got.Status != 303 {
			t.Fatalf("login: status %d, want 303: %s", got.Status, got.Body)
		}
		return got.Header.Get("Set-Cookie")
	}
	s := start(t, t.TempDir(), append(cheapHashes, "--trusted-proxy", "127.0.0.0/8")...)
	cookie := signIn(s)
	for _, part := range []string{"__Host-latchkey=", "; Path=/;", "; HttpOnly", "; Secure",
		"; SameSite=Lax"} {
		if !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
			t.Errorf("Set-Cookie is %q, want %q in it and no Domain", cookie, part)
		}
	}
	pair, _, _ := strings.Cut(cookie, ";")
	_, token, _ := strings.Cut(pair, "=")
	got := request(t, "GET", s.URL+"/account", "", "Cookie: "+pair, https)
	if got.Status != 200 || got.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the account page: status %d, want 200 with Strict-Transport-Security: %v", got.Status,
			got.Header)
	}
	for name, headers := range map[string][]string{
		"the plain cookie over https": {"Cookie: latchkey=" + token, https},
		"the Secure cookie over http": {"Cookie: " + pair},
	} {
		checkStatus(t, name+": /account", request(t, "GET", s.URL+"/account", "", headers...), 303)
		checkStatus(t, name+": /v1/user", request(t, "GET", s.URL+"/v1/user", "", headers...), 401)
	}
	untrusting := start(t, t.TempDir(), cheapHashes...)
	if cookie := signIn(untrusting); !strings.HasPrefix(cookie, "latchkey=") ||
		strings.Contains(cookie, "Secure") {
		t.Errorf("without --trusted-proxy Set-Cookie is %q, want the plain cookie", cookie)
	}
}
