//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// identityHeaders are the headers with which the proxy tells the service who sent the request.
var identityHeaders = []string{"X-Auth-Uid", "X-Auth-Account", "X-Auth-Type", "X-Auth-Scope",
	"X-Auth-Token-Id"}

const challenge = `Basic realm="latchkey", charset="UTF-8"`

// isIdentityHeader returns whether a program may take a header of this name for one of Latchkey's.
// CGI and its successors treat hyphens and underscores alike.
func isIdentityHeader(name string) bool {
	return strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-auth-")
}

// identityOf returns the values of identityHeaders. The service must get each once, no other such
// header and no token.
func identityOf(t *testing.T, h http.Header, stripsUnknown bool) (values []string) {
	t.Helper()
	for name := range h {
		known := slices.Contains(identityHeaders, name)
		if isIdentityHeader(name) && !known && (stripsUnknown ||
			strings.ToLower(name) != "x-auth-admin") {
			t.Errorf("the service got the forged header %s: %q", name, h[name])
		}
	}
	for _, name := range identityHeaders {
		if len(h[name]) != 1 {
			t.Errorf("the service got %s: %q, want one value", name, h[name])
		}
		values = append(values, h.Get(name))
	}
	if len(h["Authorization"]) > 0 || strings.Contains(h.Get("Cookie"), "MT") {
		t.Errorf("the service got a token: %q %q", h["Authorization"], h["Cookie"])
	}
	return values
}

// proxyTest is a Latchkey with tokens, a service, and the proxy in front of both.
type proxyTest struct {
	latchkey      *server
	behind        *service
	proxy         *reverseProxy
	stripsUnknown bool
	identity      []string // the values of identityHeaders for token
	token         string
	expired       string
}

// newProxyTest starts a Latchkey and a service. The caller starts the proxy.
func newProxyTest(t *testing.T) *proxyTest {
	t.Helper()
	args := append(slices.Clone(cheapHashes), "--log-level", "info", "--trusted-proxy", "127.0.0.1/32",
		"--scope", "read")
	p := &proxyTest{latchkey: start(t, t.TempDir(), args...), behind: newService(t)}
	p.token = account(t, p.latchkey, "ann@example.com")
	p.expired = mustRun(t, p.latchkey.Dir, "", "token", "issue", "ann@example.com", "--ttl", "1s")
	var got reply
	await(t, "a token to expire", func() bool {
		got = request(t, "GET", p.latchkey.URL+"/v1/verify", "", bearer(p.expired))
		return strings.Contains(got.Body, "token is expired")
	})
	got = request(t, "GET", p.latchkey.URL+"/v1/verify", "", bearer(p.token))
	for _, name := range identityHeaders {
		p.identity = append(p.identity, got.Header.Get(name))
	}
	return p
}

// passes requires that a request reaches the service once, unchanged and with the identity of the
// token.
func (p *proxyTest) passes(t *testing.T, method, path, body string, headers ...string) {
	t.Helper()
	got := p.proxy.send(t, method, path, body, headers...)
	if got.Status != 200 || (method != "HEAD") != strings.Contains(got.Body, "behind") {
		t.Errorf("%s %s %q: status %d, want 200 from the service: %s", method, path, headers, got.Status,
			got.Body)
	}
	if len(got.Header.Values("Www-Authenticate")) > 0 {
		t.Errorf("%s %s: the 200 response has a challenge", method, path)
	}
	for name := range got.Header {
		if isIdentityHeader(name) {
			t.Errorf("%s %s: the client got %s", method, path, name)
		}
	}
	requests, _ := p.behind.asked()
	if want := strings.TrimSpace(method + " " + path + " " + body); !slices.Equal(requests, []string{want}) {
		t.Errorf("the service got %.200q, want %.200q", requests, want)
	}
	for _, h := range p.behind.take() {
		if identity := identityOf(t, h, p.stripsUnknown); !slices.Equal(identity, p.identity) {
			t.Errorf("%s %s %q: the service got %q, want %q", method, path, headers, identity, p.identity)
		}
	}
}

// rejected requires that a request does not reach the service and gets Latchkey's response.
func (p *proxyTest) rejected(
	t *testing.T, status int, msg string, challenged bool, method string, headers ...string,
) {
	t.Helper()
	path, body := "/some/where?scope=AdminScope&x=%zz", ""
	if status == 403 {
		path = "/admin/"
	}
	if method == "POST" {
		body = "a body"
	}
	got := p.proxy.send(t, method, path, body, headers...)
	if requests, _ := p.behind.asked(); len(requests) > 0 || len(p.behind.take()) > 0 {
		t.Errorf("%s %q reached the service: %q", method, headers, requests)
	}
	want := []string{challenge}
	if !challenged {
		want = nil
	}
	if values := got.Header.Values("Www-Authenticate"); got.Status != status ||
		!slices.Equal(values, want) {
		t.Errorf("%s %q: status %d with challenge %q, want %d with %q",
			method, headers, got.Status, values, status, want)
	}
	if method == "HEAD" {
		return
	}
	var response struct {
		Msg string `json:"msg"`
	}
	contentType := got.Header.Values("Content-Type")
	if err := json.Unmarshal([]byte(got.Body), &response); err != nil || response.Msg != msg ||
		len(contentType) != 1 || !strings.HasPrefix(contentType[0], "application/json") {
		t.Errorf("%s %q: Content-Type %q, %q, want JSON with msg %q", method, headers, contentType,
			got.Body, msg)
	}
}
