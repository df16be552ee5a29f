package e2e_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestBehindTLS: behind a trusted proxy that ends TLS the session cookie is bound to the host and to https, and the
// plain one counts for nothing; from anybody else the proxy's headers change nothing.
func TestBehindTLS(t *testing.T) {
	const https = "X-Forwarded-Proto: https"
	form := url.Values{"account": {"ann@example.com"}, "secret": {"secret1"}}.Encode()
	asForm := "Content-Type: application/x-www-form-urlencoded"
	signIn := func(s *server) (cookie string) {
		t.Helper()
		account(t, s, "ann@example.com")
		got := request(t, "POST", s.URL+"/login", form, asForm, https)
		if got.Status != 303 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		return got.Header.Get("Set-Cookie")
	}
	s := start(t, t.TempDir(), append(cheapHashes, "--trusted-proxy", "127.0.0.0/8")...)
	cookie := signIn(s)
	for _, part := range []string{"__Host-latchkey=", "; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
			t.Errorf("Set-Cookie: %s: no %s", cookie, part)
		}
	}
	pair, _, _ := strings.Cut(cookie, ";")
	_, token, _ := strings.Cut(pair, "=")
	got := request(t, "GET", s.URL+"/account", "", "Cookie: "+pair, https)
	if got.Status != 200 || got.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the account page: %d %v", got.Status, got.Header)
	}
	for name, headers := range map[string][]string{
		"the plain name over https": {"Cookie: latchkey=" + token, https},
		"the https name over http":  {"Cookie: " + pair},
	} {
		if got := request(t, "GET", s.URL+"/account", "", headers...); got.Status != 303 {
			t.Errorf("%s: %d", name, got.Status)
		}
		if got := request(t, "GET", s.URL+"/v1/user", "", headers...); got.Status != 401 {
			t.Errorf("%s, API: %d", name, got.Status)
		}
	}
	distrusting := start(t, t.TempDir(), cheapHashes...)
	if cookie := signIn(distrusting); !strings.HasPrefix(cookie, "latchkey=") || strings.Contains(cookie, "Secure") {
		t.Errorf("from a stranger: Set-Cookie: %s", cookie)
	}
}
