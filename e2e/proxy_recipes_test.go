//go:build e2e

package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// proxies are the proxies whose recipes these tests run.
var proxies = []struct {
	name  string
	start func(tb testing.TB, latchkey, behind string) *reverseProxy
	// admin means that the recipe requires a scope under /admin/.
	admin bool
	// stripsUnknown means that the proxy also removes unknown X-Auth headers, such as X-Auth-Admin.
	stripsUnknown bool
	// needsIdentity means that the proxy rejects a 200 of /v1/verify without the identity headers.
	needsIdentity bool
	// reconnects means that the proxy opens a connection for each request to /v1/verify.
	reconnects bool
	// logsUser means that the access log shows the user's id.
	logsUser bool
}{
	{name: "nginx", start: nginx, admin: true, logsUser: true},
	{name: "Caddy", start: caddy, admin: true, stripsUnknown: true, needsIdentity: true},
	{name: "HAProxy", start: haproxy, stripsUnknown: true, needsIdentity: true, reconnects: true,
		logsUser: true},
	{name: "Apache", start: apache, admin: true, stripsUnknown: true, needsIdentity: true,
		reconnects: true, logsUser: true},
}

// TestProxies sends requests through every proxy with the configuration of its recipe. Requests
// with a valid token reach the service with the identity headers; others do not. Forged X-Auth
// headers never arrive, and no log contains a token.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			p := newProxyTest(t)
			p.proxy, p.stripsUnknown = kind.start(t, p.latchkey.URL, p.behind.URL), kind.stripsUnknown
			t.Run("passes", p.testPasses)
			t.Run("forged", p.testForged)
			t.Run("rejected", p.testRejected)
			t.Run("two headers", p.testTwoHeaders)
			t.Run("narrow", p.testNarrow)
			if kind.admin {
				t.Run("scope", p.testScope)
			}
			t.Run("login", p.testLogin)
			t.Run("logs", p.testLogs)
			line := " " + p.identity[0] + " ["
			if logged := strings.Contains(p.proxy.logged(t), line); logged != kind.logsUser {
				t.Errorf("the access log contains %q: %v, want %v", line, logged, kind.logsUser)
			}
		})
	}
}

// testPasses sends valid tokens in every way, with every method and with bodies.
func (p *proxyTest) testPasses(t *testing.T) {
	for name, credential := range map[string]string{
		"user name":       basic(p.token, ""),
		"user name and x": basic(p.token, "x"), "password": basic("anyname", p.token),
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
	p.passes(t, "GET", "/script", "", bearer(p.token), "X-Requested-With: XMLHttpRequest",
		"Sec-Fetch-Mode: cors")
	p.proxy.send(t, "GET", "/", "", "Cookie: a=b; latchkey="+p.token+"; c=d")
	p.behind.asked()
	for _, h := range p.behind.take() {
		if cookie := strings.Join(h["Cookie"], "; "); !strings.Contains(cookie, "a=b") ||
			!strings.Contains(cookie, "c=d") {
			t.Errorf("the service's own cookies are lost: %q", cookie)
		}
	}
	two := "Cookie: latchkey=" + p.token + "; a=b; latchkey-domain=" + p.token +
		"; __Secure-latchkey=" + p.token
	p.passes(t, "GET", "/", "", two)
	p.passes(t, "GET", "/", "", "Cookie: latchkey="+p.token)
}

// testForged sends forged headers with and without a valid token. None reaches the service or
// changes what Latchkey sees.
func (p *proxyTest) testForged(t *testing.T) {
	forged := []string{
		"X-Auth-Uid: 999", "x-auth-uid: 999", "X-AUTH-UID: 999", "X_Auth_Uid: 999", "x_auth_uid: 999", "X-Auth_Uid: 999",
		"X_Auth-Uid: 999", "X-Auth-Account: root", "x-auth-account: root", "X_AUTH_ACCOUNT: root", "X-Auth-Type: 200",
		"X-Auth-Scope: AdminScope", "x_auth_scope: AdminScope", "X-Auth-Token-Id: 1-1-1", "X_Auth-Token_Id: 1-1-1",
		"X-Auth-Admin: yes",
	}
	for _, h := range forged {
		p.passes(t, "GET", "/forged", "", bearer(p.token), h)
		p.passes(t, "GET", "/forged", "", bearer(p.token), h, h)
		p.rejected(t, 401, "token is invalid", true, "GET", h)
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
		p.rejected(t, 401, "token is invalid", true, "GET", odd)
	}
	if strings.Contains(p.latchkey.out.String(), "203.0.113.7") {
		t.Error("Latchkey logs a forged client address")
	}
}

// testRejected sends requests without a valid token. Programs get Latchkey's response unchanged,
// scripts get it without a challenge.
func (p *proxyTest) testRejected(t *testing.T) {
	invalid, expired := "token is invalid", "token is expired"
	tests := map[string]struct {
		msg        string
		challenged bool
		headers    []string
	}{
		"no token":               {invalid, true, nil},
		"tampered, as user name": {invalid, true, []string{basic(tamper(p.token), "")}},
		"tampered, as password":  {invalid, true, []string{basic("anyname", tamper(p.token))}},
		"tampered, as Bearer":    {invalid, true, []string{bearer(tamper(p.token))}},
		"tampered, as cookie":    {invalid, true, []string{"Cookie: latchkey=" + tamper(p.token)}},
		"expired, as user name":  {expired, true, []string{basic(p.expired, "")}},
		"expired, as Bearer":     {expired, true, []string{bearer(p.expired)}},
		"account and password":   {invalid, true, []string{basic("ann@example.com", "secret1")}},
		"another scheme":         {invalid, true, []string{"Authorization: Digest " + p.token}},
		"invalid base64":         {invalid, true, []string{"Authorization: Basic !!!"}},
		"empty":                  {invalid, true, []string{"Authorization: "}},
		"Proxy-Authorization":    {invalid, true, []string{"Proxy-" + basic(p.token, "")}},
		"an invalid one and a cookie": {invalid, true, []string{bearer(tamper(p.token)),
			"Cookie: latchkey=" + p.token}},
		"a script by fetch": {invalid, false, []string{"Sec-Fetch-Mode: cors",
			"Sec-Fetch-Dest: empty"}},
		"a script by XHR": {invalid, false, []string{"X-Requested-With: XMLHttpRequest"}},
		"a script, expired": {expired, false, []string{"Sec-Fetch-Dest: empty",
			bearer(p.expired)}},
		"the header in two halves":  {invalid, true, []string{"Authorization: Bearer", "X-Token: x"}},
		"the cookie's name in caps": {invalid, true, []string{"Cookie: LATCHKEY=" + p.token}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "PROPFIND"} {
				p.rejected(t, 401, test.msg, test.challenged, method, test.headers...)
			}
		})
	}
}

// testTwoHeaders sends two Authorization headers, of which one or both are valid. The request is
// rejected.
func (p *proxyTest) testTwoHeaders(t *testing.T) {
	good, bad := bearer(p.token), bearer(tamper(p.token))
	for _, pair := range [][]string{{good, bad}, {bad, good}, {good, good},
		{good, basic(p.token, "")}} {
		got := p.proxy.send(t, "GET", "/", "", pair...)
		if requests, _ := p.behind.asked(); got.Status != 400 && got.Status != 401 || len(requests) > 0 {
			t.Errorf("%.30q: status %d, want 400 or 401; the service got %q", pair, got.Status, requests)
		}
	}
}

// testNarrow sends a token with a narrow scope, which no recipe asks for. The client's query does
// not ask for it either.
func (p *proxyTest) testNarrow(t *testing.T) {
	narrow := mustRun(t, p.latchkey.Dir, "", "token", "issue", "ann@example.com", "--scope", "read",
		"--label", "reader")
	for _, path := range []string{"/", "/?scope=read", "/?scope=any", "/x?a=b&scope=any",
		"/x?login=redirect&scope=read"} {
		if got := p.proxy.send(t, "GET", path, "", bearer(narrow)); got.Status != 403 {
			t.Errorf("%s: status %d, want 403: %s", path, got.Status, got.Body)
		}
	}
	if requests, _ := p.behind.asked(); len(requests) > 0 {
		t.Errorf("the service got %q, want nothing", requests)
	}
}

// testScope requests a part of the service that requires a scope.
func (p *proxyTest) testScope(t *testing.T) {
	p.rejected(t, 403, "forbidden, not in scope", false, "GET", bearer(p.token))
	p.rejected(t, 403, "forbidden, not in scope", false, "POST", bearer(p.token))
	for _, path := range []string{"/%61dmin/", "//admin/", "/./admin/x", "/a/../admin/x",
		"/admin//x?scope=UserScope"} {
		if got := p.proxy.send(t, "GET", path, "", bearer(p.token)); got.Status != 403 &&
			got.Status != 400 {
			t.Errorf("%s: status %d, want 403 or 400: %s", path, got.Status, got.Body)
		}
	}
	admin := administrator(t, p.latchkey)
	checkStatus(t, "an administrator", p.proxy.send(t, "GET", "/admin/", "", bearer(admin)), 200)
	checkStatus(t, "an invalid token", p.proxy.send(t, "GET", "/admin/", "", bearer(tamper(admin))),
		401)
	if requests, _ := p.behind.asked(); len(requests) != 1 || len(p.behind.take()) != 1 {
		t.Errorf("the service got %q, want one request", requests)
	}
}

// testLogin requests Latchkey's pages and API through the proxy.
func (p *proxyTest) testLogin(t *testing.T) {
	page := p.proxy.send(t, "GET", "/login", "", "Host: login.example.com", "Accept: text/html")
	if page.Status != 200 || !strings.Contains(page.Body, "<form") {
		t.Errorf("the login page: status %d, want 200 with a form: %s", page.Status, page.Body)
	}
	me := p.proxy.send(t, "GET", "/v1/user", "", "Host: login.example.com", basic(p.token, ""))
	if me.Status != 200 || !strings.Contains(me.Body, "ann@example.com") {
		t.Errorf("the API: status %d, want 200 with the account: %s", me.Status, me.Body)
	}
	anonymous := p.proxy.send(t, "GET", "/v1/user", "", "Host: login.example.com")
	values := anonymous.Header.Values("Www-Authenticate")
	if anonymous.Status != 401 || !slices.Equal(values, []string{challenge}) {
		t.Errorf("the API without a token: status %d with challenge %q, want 401", anonymous.Status,
			values)
	}
	if requests, _ := p.behind.asked(); len(requests) > 0 {
		t.Errorf("the service got %q, want nothing", requests)
	}
}

// testLogs requires that neither the proxy's log nor Latchkey's contains a token, in clear or in
// base64.
func (p *proxyTest) testLogs(t *testing.T) {
	user, _ := strings.CutPrefix(basic(p.token, ""), "Authorization: Basic ")
	password, _ := strings.CutPrefix(basic("anyname", p.token), "Authorization: Basic ")
	encodings := []string{p.token, p.token[:40], user[:40], password[12:40]}
	for program, text := range map[string]string{"the proxy": p.proxy.logged(t),
		"Latchkey": p.latchkey.out.String()} {
		if !strings.Contains(text, "/v1/verify") && !strings.Contains(text, "/forged") {
			t.Errorf("%s has no access log:\n%s", program, text)
		}
		for _, encoding := range encodings {
			if n := strings.Index(text, encoding); n >= 0 {
				t.Errorf("%s logs a token: %s", program, text[max(0, n-300):n+60])
			}
		}
	}
}
