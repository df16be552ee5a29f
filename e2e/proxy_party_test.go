//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// identityHeaders are what the service behind gets of Latchkey.
var identityHeaders = []string{"X-Auth-Uid", "X-Auth-Account", "X-Auth-Type", "X-Auth-Scope", "X-Auth-Token-Id"}

const challenge = `Basic realm="latchkey", charset="UTF-8"`

// isIdentity says whether a program may take a header of this name for one of Latchkey's: CGI and its heirs do not
// tell a hyphen from an underscore.
func isIdentity(name string) bool {
	return strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-auth-")
}

// identityIn is the values of Latchkey's headers in the order of identityHeaders; anything else of their kind and
// what the service must not get is a fault.
func identityIn(t *testing.T, h http.Header, strict bool) (values []string) {
	t.Helper()
	for name := range h {
		known := slices.Contains(identityHeaders, name)
		if isIdentity(name) && !known && (strict || strings.ToLower(name) != "x-auth-admin") {
			t.Errorf("the service got %s: %q", name, h[name])
		}
	}
	for _, name := range identityHeaders {
		if len(h[name]) != 1 {
			t.Errorf("the service got %s: %q", name, h[name])
		}
		values = append(values, h.Get(name))
	}
	if len(h["Authorization"]) > 0 || strings.Contains(h.Get("Cookie"), "MT") {
		t.Errorf("the service got a token: %q %q", h["Authorization"], h["Cookie"])
	}
	return values
}

// party is what the tests of a proxy need: a Latchkey, tokens of it, a service and the proxy between them.
type party struct {
	latchkey *server
	behind   *service
	door     *door
	strict   bool
	identity []string // of token
	token    string
	expired  string
}

// invite starts a Latchkey and a service; the proxy is still to come.
func invite(t *testing.T) *party {
	t.Helper()
	args := append(slices.Clone(cheapHashes), "--log-level", "info", "--trusted-proxy", "127.0.0.1/32")
	p := &party{latchkey: start(t, t.TempDir(), args...), behind: newService(t)}
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

// passes requires that a request reaches the service, once, as it was sent and with the identity of the token.
func (p *party) passes(t *testing.T, method, path, body string, headers ...string) {
	t.Helper()
	got := p.door.through(t, method, path, body, headers...)
	if got.Status != 200 || (method != "HEAD") != strings.Contains(got.Body, "behind") {
		t.Errorf("%s %s %q: %d %s", method, path, headers, got.Status, got.Body)
	}
	if len(got.Header.Values("Www-Authenticate")) > 0 {
		t.Errorf("%s %s: a challenge on 200", method, path)
	}
	for name := range got.Header {
		if isIdentity(name) {
			t.Errorf("%s %s: the client got %s", method, path, name)
		}
	}
	requests, _ := p.behind.asked()
	if want := strings.TrimSpace(method + " " + path + " " + body); !slices.Equal(requests, []string{want}) {
		t.Errorf("the service was asked %.200q, want %.200q", requests, want)
	}
	for _, h := range p.behind.take() {
		if identity := identityIn(t, h, p.strict); !slices.Equal(identity, p.identity) {
			t.Errorf("%s %s %q: the service got %q, want %q", method, path, headers, identity, p.identity)
		}
	}
}

// refused requires that a request does not reach the service and gets Latchkey's own refusal.
func (p *party) refused(t *testing.T, status int, msg string, challenged bool, method string, headers ...string) {
	t.Helper()
	path, body := "/some/where?scope=AdminScope&x=%zz", ""
	if status == 403 {
		path = "/admin/"
	}
	if method == "POST" {
		body = "a body"
	}
	got := p.door.through(t, method, path, body, headers...)
	if requests, _ := p.behind.asked(); len(requests) > 0 || len(p.behind.take()) > 0 {
		t.Errorf("%s %q reached the service: %q", method, headers, requests)
	}
	want := []string{challenge}
	if !challenged {
		want = nil
	}
	if values := got.Header.Values("Www-Authenticate"); got.Status != status || !slices.Equal(values, want) {
		t.Errorf("%s %q: %d with %q, want %d with %q", method, headers, got.Status, values, status, want)
	}
	if method == "HEAD" {
		return
	}
	var answer struct {
		Msg string `json:"msg"`
	}
	kind := got.Header.Values("Content-Type")
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || answer.Msg != msg ||
		len(kind) != 1 || !strings.HasPrefix(kind[0], "application/json") {
		t.Errorf("%s %q: %q %q, want msg %q", method, headers, kind, got.Body, msg)
	}
}
