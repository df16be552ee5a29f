//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// proxies are the reverse proxies whose recipes run here.
var proxies = []struct {
	name  string
	start func(tb testing.TB, latchkey, behind string) *door
	// admin is set where the recipe asks for a scope under /admin/.
	admin bool
	// strict is set where also headers that Latchkey does not know are removed, such as X-Auth-Admin.
	strict bool
	// wary is set where an answer of 200 without the identity does not let a request through.
	wary bool
	// reconnects is set where each question to Latchkey takes a connection of its own.
	reconnects bool
	// names is set where the access log names the user by number.
	names bool
}{
	{name: "nginx", start: nginx, admin: true, names: true},
	{name: "Caddy", start: caddy, admin: true, strict: true, wary: true},
	{name: "HAProxy", start: haproxy, strict: true, wary: true, reconnects: true, names: true},
	{name: "Apache", start: apache, admin: true, strict: true, wary: true, reconnects: true, names: true},
}

// TestProxies: through every proxy, from its recipe, a good token brings a request to the service with the identity
// that Latchkey gives, and nothing else does; a client's own X-Auth headers never arrive; tokens are in no log.
func TestProxies(t *testing.T) {
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			p := invite(t)
			p.door, p.strict = proxy.start(t, p.latchkey.URL, p.behind.URL), proxy.strict
			t.Run("passes", p.testPasses)
			t.Run("forged", p.testForged)
			t.Run("refused", p.testRefused)
			t.Run("two", p.testTwo)
			if proxy.admin {
				t.Run("scope", p.testScope)
			}
			t.Run("login", p.testLogin)
			t.Run("logs", p.testLogs)
			if line := " " + p.identity[0] + " ["; strings.Contains(p.door.logged(t), line) != proxy.names {
				t.Errorf("the access log has %q: %v", line, !proxy.names)
			}
		})
	}
}

// testPasses: every way to carry a token, every method, and a body that arrives.
func (p *party) testPasses(t *testing.T) {
	for name, credential := range map[string]string{
		"user name": basic(p.token, ""), "user name and x": basic(p.token, "x"), "password": basic("anyname", p.token),
		"Bearer": bearer(p.token), "lower case": strings.Replace(basic(p.token, ""), "Basic", "basic", 1),
		"cookie": "Cookie: a=b; latchkey=" + p.token + "; c=d",
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE"} {
				p.passes(t, method, "/a%2Fb/..;/c?x=1&scope=no", "", credential)
			}
			for _, method := range []string{"POST", "PUT", "PATCH"} {
				p.passes(t, method, "/form", "field=value", credential, "Content-Type: text/plain")
			}
		})
	}
	p.passes(t, "POST", "/big", strings.Repeat("0123456789abcdef", 30<<10/16), bearer(p.token))
	p.passes(t, "GET", "/script", "", bearer(p.token), "X-Requested-With: XMLHttpRequest", "Sec-Fetch-Mode: cors")
	p.door.through(t, "GET", "/", "", "Cookie: a=b; latchkey="+p.token+"; c=d")
	p.behind.asked()
	for _, h := range p.behind.take() {
		if cookie := strings.Join(h["Cookie"], "; "); !strings.Contains(cookie, "a=b") || !strings.Contains(cookie, "c=d") {
			t.Errorf("the service's own cookies are lost: %q", cookie)
		}
	}
	two := "Cookie: latchkey=" + p.token + "; a=b; latchkey-domain=" + p.token + "; __Secure-latchkey=" + p.token
	p.passes(t, "GET", "/", "", two)
	p.passes(t, "GET", "/", "", "Cookie: latchkey="+p.token)
}

// testForged: what a client says of itself does not arrive, with a good token or without one.
func (p *party) testForged(t *testing.T) {
	forged := []string{
		"X-Auth-Uid: 999", "x-auth-uid: 999", "X-AUTH-UID: 999", "X_Auth_Uid: 999", "x_auth_uid: 999", "X-Auth_Uid: 999",
		"X_Auth-Uid: 999", "X-Auth-Account: root", "x-auth-account: root", "X_AUTH_ACCOUNT: root", "X-Auth-Type: 200",
		"X-Auth-Scope: AdminScope", "x_auth_scope: AdminScope", "X-Auth-Token-Id: 1-1-1", "X_Auth-Token_Id: 1-1-1",
		"X-Auth-Admin: yes",
	}
	for _, h := range forged {
		p.passes(t, "GET", "/forged", "", bearer(p.token), h)
		p.passes(t, "GET", "/forged", "", bearer(p.token), h, h)
		p.refused(t, 401, "token is invalid", true, "GET", h)
	}
	p.passes(t, "GET", "/forged", "", append(forged, bearer(p.token))...)
	for _, listed := range []string{
		"X-Auth-Uid", "close, X-Auth-Uid", "x-auth-uid, X-Auth-Account, X-Auth-Scope, X-Auth-Type, X-Auth-Token-Id",
		"keep-alive, X-Auth-Uid", "Upgrade, X-Auth-Uid", "upgrade, x-auth-scope",
	} {
		p.passes(t, "GET", "/hop", "", bearer(p.token), "Connection: "+listed)
		p.passes(t, "GET", "/hop", "", bearer(p.token), "Connection: "+listed, "X-Auth-Uid: 999")
		p.passes(t, "GET", "/hop", "", bearer(p.token), "Connection: "+listed, "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	}
	for _, odd := range []string{
		"X-Original-URL: http://evil.example/", "X-Original-Method: OPTIONS", "X-Forwarded-Uri: /healthz",
		"X-Forwarded-Method: OPTIONS", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https",
		"X-Forwarded-For: 203.0.113.7",
		"X-HTTP-Method-Override: GET", "X-Rewrite-URL: /healthz", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7",
		"Content-Location: /healthz", "If-None-Match: *", "Expect: 100-continue",
		"Origin: https://evil.example",
	} {
		p.passes(t, "GET", "/odd", "", bearer(p.token), odd)
		p.refused(t, 401, "token is invalid", true, "GET", odd)
	}
	if strings.Contains(p.latchkey.out.String(), "203.0.113.7") {
		t.Error("Latchkey took a client's word for its address")
	}
}

// testRefused: without a good token a program gets the answer of Latchkey as it is, a script the one without a
// challenge.
func (p *party) testRefused(t *testing.T) {
	bad, old := "token is invalid", "token is expired"
	tests := map[string]struct {
		msg        string
		challenged bool
		headers    []string
	}{
		"none":                      {bad, true, nil},
		"tampered, as user name":    {bad, true, []string{basic(tamper(p.token), "")}},
		"tampered, as password":     {bad, true, []string{basic("anyname", tamper(p.token))}},
		"tampered, as Bearer":       {bad, true, []string{bearer(tamper(p.token))}},
		"tampered, as cookie":       {bad, true, []string{"Cookie: latchkey=" + tamper(p.token)}},
		"expired, as user name":     {old, true, []string{basic(p.expired, "")}},
		"expired, as Bearer":        {old, true, []string{bearer(p.expired)}},
		"account and secret":        {bad, true, []string{basic("ann@example.com", "secret1")}},
		"another scheme":            {bad, true, []string{"Authorization: Digest " + p.token}},
		"no base64":                 {bad, true, []string{"Authorization: Basic !!!"}},
		"empty":                     {bad, true, []string{"Authorization: "}},
		"Proxy-Authorization":       {bad, true, []string{"Proxy-" + basic(p.token, "")}},
		"a wrong one and a cookie":  {bad, true, []string{bearer(tamper(p.token)), "Cookie: latchkey=" + p.token}},
		"a script by fetch":         {bad, false, []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}},
		"a script by XHR":           {bad, false, []string{"X-Requested-With: XMLHttpRequest"}},
		"a script, expired":         {old, false, []string{"Sec-Fetch-Dest: empty", bearer(p.expired)}},
		"the header in two halves":  {bad, true, []string{"Authorization: Bearer", "X-Token: x"}},
		"the cookie's name in caps": {bad, true, []string{"Cookie: LATCHKEY=" + p.token}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "PROPFIND"} {
				p.refused(t, 401, test.msg, test.challenged, method, test.headers...)
			}
		})
	}
}

// testTwo: a request with two Authorization headers is refused, whichever of them is good.
func (p *party) testTwo(t *testing.T) {
	good, bad := bearer(p.token), bearer(tamper(p.token))
	for _, pair := range [][]string{{good, bad}, {bad, good}, {good, good}, {good, basic(p.token, "")}} {
		got := p.door.through(t, "GET", "/", "", pair...)
		if requests, _ := p.behind.asked(); got.Status != 400 && got.Status != 401 || len(requests) > 0 {
			t.Errorf("%.30q: %d, the service was asked %q", pair, got.Status, requests)
		}
	}
}

// testScope: a part of the service for which the token must have a scope.
func (p *party) testScope(t *testing.T) {
	p.refused(t, 403, "forbidden, not in scope", false, "GET", bearer(p.token))
	p.refused(t, 403, "forbidden, not in scope", false, "POST", bearer(p.token))
	for _, path := range []string{"/%61dmin/", "//admin/", "/./admin/x", "/a/../admin/x", "/admin//x?scope=UserScope"} {
		if got := p.door.through(t, "GET", path, "", bearer(p.token)); got.Status != 403 && got.Status != 400 {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	admin := administrator(t, p.latchkey)
	if got := p.door.through(t, "GET", "/admin/", "", bearer(admin)); got.Status != 200 {
		t.Errorf("an administrator: %d %s", got.Status, got.Body)
	}
	if got := p.door.through(t, "GET", "/admin/", "", bearer(tamper(admin))); got.Status != 401 {
		t.Errorf("nobody: %d %s", got.Status, got.Body)
	}
	if requests, _ := p.behind.asked(); len(requests) != 1 || len(p.behind.take()) != 1 {
		t.Errorf("the service was asked %q", requests)
	}
}

// testLogin: Latchkey's own pages and API through the proxy.
func (p *party) testLogin(t *testing.T) {
	page := p.door.through(t, "GET", "/login", "", "Host: login.example.com", "Accept: text/html")
	if page.Status != 200 || !strings.Contains(page.Body, "<form") {
		t.Errorf("the login page: %d %s", page.Status, page.Body)
	}
	me := p.door.through(t, "GET", "/v1/user", "", "Host: login.example.com", basic(p.token, ""))
	if me.Status != 200 || !strings.Contains(me.Body, "ann@example.com") {
		t.Errorf("the API: %d %s", me.Status, me.Body)
	}
	nobody := p.door.through(t, "GET", "/v1/user", "", "Host: login.example.com")
	values := nobody.Header.Values("Www-Authenticate")
	if nobody.Status != 401 || !slices.Equal(values, []string{challenge}) {
		t.Errorf("the API without a token: %d %q", nobody.Status, values)
	}
	if requests, _ := p.behind.asked(); len(requests) > 0 {
		t.Errorf("the service was asked %q", requests)
	}
}

// testLogs: neither the proxy nor Latchkey has written a token, as it is or in base64.
func (p *party) testLogs(t *testing.T) {
	user, _ := strings.CutPrefix(basic(p.token, ""), "Authorization: Basic ")
	password, _ := strings.CutPrefix(basic("anyname", p.token), "Authorization: Basic ")
	spellings := []string{p.token, p.token[:40], user[:40], password[12:40]}
	for who, text := range map[string]string{"the proxy": p.door.logged(t), "Latchkey": p.latchkey.out.String()} {
		if !strings.Contains(text, "/v1/verify") && !strings.Contains(text, "/forged") {
			t.Errorf("%s has no access log:\n%s", who, text)
		}
		for _, spelling := range spellings {
			if n := strings.Index(text, spelling); n >= 0 {
				t.Errorf("%s logs a token: %s", who, text[max(0, n-300):n+60])
			}
		}
	}
}
