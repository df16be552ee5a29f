package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"latchkey/auth"
)

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// testSite is reached at login.example.com and shares its cookie with example.com.
func testSite(t testing.TB) site {
	return site{public: mustURL(t, "https://login.example.com"), domain: "example.com",
		returnHosts: []string{"old.example.org", "dev.example.org:8443"}}
}

// newSharedHarness returns a harness at login.example.com that shares its cookie with example.com
// and trusts the address of every test request.
func newSharedHarness(t *testing.T, configure ...func(*Config)) *harness {
	return newHarness(t, auth.Options{CookieDomain: "example.com"}, append(configure, func(c *Config) {
		c.PublicURL = mustURL(t, "https://login.example.com")
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})...)
}

func TestNext(t *testing.T) {
	alone, shared := site{}, testSite(t)
	plain := site{public: mustURL(t, "http://10.0.0.7:8080"), returnHosts: []string{"10.0.0.7:3000"}}
	tests := []struct {
		name       string
		site       site
		next, want string
	}{
		{"path", alone, "/account?a=1&b=%2F", "/account?a=1&b=%2F"}, {"root", alone, "/", "/"},
		{"without fragment", alone, "/a#b", "/a"}, {"backslash, escaped", alone, "/%5Cevil.example", "/%5Cevil.example"},
		{"dots", alone, "/a/../b", "/a/../b"}, {"dot and slashes", alone, "/.//evil.example", "/.//evil.example"},
		{"Err/empty", alone, "", defaultNext}, {"Err/address", alone, "https://login.example.com/", defaultNext},
		{"Err/slash, escaped", alone, "/%2Fevil.example/\"", defaultNext}, {"Err/escape", alone, "/%zz", defaultNext},
		{"host of the domain", shared, "https://app.example.com/a?b=c%20d", "https://app.example.com/a?b=c%20d"},
		{"the domain", shared, "https://example.com", "https://example.com/"},
		{"deeper", shared, "https://a.b.example.com:8443/x", "https://a.b.example.com:8443/x"},
		{"this host", shared, "https://login.example.com/x", "https://login.example.com/x"},
		{"capitals", shared, "HTTPS://App.Example.COM/X", "https://app.example.com/X"},
		{"http", shared, "http://app.example.com/x", "https://app.example.com/x"},
		{"fragment", shared, "https://app.example.com/#//evil.example", "https://app.example.com/"},
		{"not ASCII", shared, "https://app.example.com/ä?q=ä", "https://app.example.com/%C3%A4?q=%C3%A4"},
		{"listed", shared, "https://old.example.org/", "https://old.example.org/"},
		{"listed with port", shared, "https://dev.example.org:8443/", "https://dev.example.org:8443/"},
		{"Err/listed, other port", shared, "https://dev.example.org/", defaultNext},
		{"Err/below a listed one", shared, "https://a.old.example.org/", defaultNext},
		{"Err/http with port", shared, "http://app.example.com:8080/", defaultNext},
		{"plain http", plain, "http://10.0.0.7:3000/x", "http://10.0.0.7:3000/x"},
		{"plain http, this host", plain, "http://10.0.0.7:8080/x", "http://10.0.0.7:8080/x"},
		{"Err/other port", plain, "http://10.0.0.7:3001/x", defaultNext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.site.next(test.next); got != test.want {
				t.Errorf("%q: %q, want %q", test.next, got, test.want)
			}
		})
	}
}

// leadsTo returns the host that a browser opens for an address, by the URL standard (WHATWG): it
// drops tabs and line ends, trims spaces and controls, and reads backslashes as slashes. "" is the
// current host.
func leadsTo(address string) string {
	address = strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(address)
	address = strings.TrimFunc(address, func(r rune) bool { return r <= ' ' })
	scheme, rest, absolute := strings.Cut(address, ":")
	switch {
	case absolute && !strings.ContainsAny(scheme, "/?#"):
		if scheme != "http" && scheme != "https" {
			return scheme + ":"
		}
		address = rest
	case !strings.HasPrefix(address, "//"):
		return ""
	}
	authority, _, _ := strings.Cut(strings.TrimLeft(address, "/"), "/")
	authority = strings.FieldsFunc(authority+"/", func(r rune) bool { return r == '?' || r == '#' || r == '/' })[0]
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		authority = authority[i+1:]
	}
	return authority
}

// hostileNext returns addresses to which a login at login.example.com, with the cookie domain
// example.com, must not redirect as they are.
func hostileNext(t testing.TB) (spellings []string) {
	t.Helper()
	text, err := os.ReadFile("../e2e/testdata/hostile-next.json")
	if err == nil {
		err = json.Unmarshal(text, &spellings)
	}
	if err != nil || len(spellings) < 300 {
		t.Fatalf("%d spellings: %v", len(spellings), err)
	}
	return spellings
}

// TestHostileNext: no spelling of a redirect target makes a login redirect to another host, as a
// browser reads the response. It covers every place that accepts a target.
func TestHostileNext(t *testing.T) {
	h := newSharedHarness(t)
	cookie := "Cookie: __Secure-latchkey=" + h.admin
	check := func(where, target, location string) {
		t.Helper()
		host := leadsTo(location)
		if strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) ||
			host != "" && host != "example.com" && !strings.HasSuffix(host, ".example.com") {
			t.Errorf("%s: %q leads to %q", where, target, location)
		}
	}
	for n, target := range hostileNext(t) {
		escaped := url.QueryEscape(target)
		w := h.ask("GET", "/login?next="+escaped, "", cookie)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%q: %d", target, w.Code)
		}
		check("signed in", target, w.Header().Get("Location"))
		form := url.Values{"account": {"root@example.com"}, "secret": {"secret1"}, "next": {target}}.Encode()
		if n%20 == 0 { // each costs a hash
			w = h.ask("POST", "/login", form, "Content-Type: application/x-www-form-urlencoded")
			refresh := strings.TrimPrefix(w.Header().Get("Refresh"), "0;url=")
			check("by the form", target, w.Header().Get("Location")+refresh)
		}
		for _, headers := range [][]string{
			{"X-Original-URL: " + target},
			{"X-Forwarded-Proto: https", "X-Forwarded-Host: " + target, "X-Forwarded-Uri: /"},
			{"X-Forwarded-Proto: " + target, "X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: /"},
			{"X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: " + target},
		} {
			w := h.ask("GET", "/v1/verify?login=redirect", "", append(headers, "Accept: text/html")...)
			if w.Code == http.StatusOK {
				t.Fatalf("%v lets in", headers)
			}
			to, err := url.Parse(w.Header().Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			check("to log in", target, to.String())
			check("verify "+headers[0], target, to.Query().Get("next"))
		}
	}
}

func FuzzNext(f *testing.F) {
	for _, seed := range []string{"/account", "//evil.example", "/\\evil", "/a?b=c", "https://u@evil/", "/%2Fevil/\"",
		"https://app.example.com/ä", "http://app.example.com", "https://app.example.com.evil.example/"} {
		f.Add(seed)
	}
	sites := []site{{}, testSite(f), {public: mustURL(f, "http://login.example.com:8080")}}
	f.Fuzz(func(t *testing.T, target string) {
		for _, s := range sites {
			got := s.next(target)
			host := leadsTo(got)
			if strings.ContainsAny(got, "\\\r\n\t") || got == "" || host != "" &&
				(s.public == nil || !s.mayReturn(host)) {
				t.Errorf("%q: next is %q", target, got)
			}
			if again := s.next(got); again != got {
				t.Errorf("%q: next is %q, and of that %q", target, got, again)
			}
		}
	})
}

// loginRedirect is a request to verify through a proxy, and its response.
type loginRedirect struct {
	name      string
	query     string
	headers   string // lines
	status    int
	location  string
	challenge bool
}

func loginRedirects() []loginRedirect {
	const (
		nginx = "X-Original-URL: https://app.example.com/a?b=c&d"
		caddy = "X-Forwarded-Proto: https\nX-Forwarded-Host: app.example.com\n" +
			"X-Forwarded-Uri: /a?b=c&d"
		login  = "https://login.example.com/login?next=https%3A%2F%2Fapp.example.com%2F"
		here   = login + "a%3Fb%3Dc%26d"
		person = "\nSec-Fetch-Mode: navigate\nAccept: text/html"
		ask    = "?login=redirect"
	)
	return []loginRedirect{
		{"nginx", ask, nginx + person, 401, here, false},
		{"Caddy", ask, caddy + person, 303, here, false},
		{"no Sec-Fetch", ask, caddy + "\nAccept: text/html,*/*", 303, here, false},
		{"with a scope", "?scope=AdminScope&login=redirect", nginx + person, 401, here, false},
		{"a revoked session", ask, nginx + person + "\nCookie: __Secure-latchkey=x", 401, here, false},
		{"a form, nginx", ask, nginx + person + "\nX-Original-Method: POST", 401, login, false},
		{"a form, Caddy", ask, caddy + person + "\nX-Forwarded-Method: POST", 303, login, false},
		{"HEAD", ask, caddy + person + "\nX-Forwarded-Method: HEAD", 303, here, false},
		{"not requested", "", nginx + person, 401, "", true},
		{"another value", "?login=yes", caddy + person, 401, "", true},
		{"a program", ask, caddy + "\nAccept: */*", 401, "", true},
		{"a script", ask, caddy + "\nSec-Fetch-Mode: cors\nAccept: text/html", 401, "", false},
		{"an image", ask, caddy + "\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: image", 401, "", false},
		{"an older script", ask, caddy + "\nX-Requested-With: XMLHttpRequest\nAccept: text/html", 401, "",
			false},
		{"bad credentials", ask, nginx + person + "\nAuthorization: Basic eDo=", 401, "", true},
		{"an address too long", ask, nginx + strings.Repeat("x", 3000) + person, 401, login, false},
		{"a bad escape", ask, "X-Original-URL: https://app.example.com/100%" + person, 401, login, false},
		{"another host", ask, "X-Original-URL: https://app.example.org/" + person, 401, "", true},
		{"no original URL", ask, person[1:], 401, "", true},
	}
}

// TestRedirectToLogin: verify redirects people to the login page if a trusted proxy asks for it
// and names the original URL. Every other request gets the ordinary 401.
func TestRedirectToLogin(t *testing.T) {
	h := newSharedHarness(t)
	for _, test := range loginRedirects() {
		t.Run(test.name, func(t *testing.T) {
			w := h.ask("GET", "/v1/verify"+test.query, "", strings.Split(test.headers, "\n")...)
			if got := w.Header().Get("Location"); w.Code != test.status || got != test.location {
				t.Errorf("%d %q, want %d %q", w.Code, got, test.status, test.location)
			}
			if got := w.Header().Get("WWW-Authenticate") != ""; got != test.challenge {
				t.Errorf("challenge: %v, want %v", got, test.challenge)
			}
		})
	}
	r := httptest.NewRequest("GET", "/v1/verify?login=redirect", nil)
	r.Header = http.Header{"X-Original-Url": {"https://app.example.com/"}, "Accept": {"text/html"}}
	if w := h.send(r, "198.51.100.1:1"); w.Code != 401 || w.Header().Get("Location") != "" {
		t.Errorf("from an untrusted proxy: %d %v", w.Code, w.Header())
	}
}

// TestSharedCookie: with a cookie domain all its hosts share the session cookie, and cookies of
// other settings do not count. A login redirects to hosts that get the cookie.
func TestSharedCookie(t *testing.T) {
	h := newSharedHarness(t, func(c *Config) { c.ReturnHosts = []string{"old.example.org"} })
	form := url.Values{"account": {"root@example.com"}, "secret": {"secret1"}, "next": {"https://app.example.com/x"}}
	asForm := "Content-Type: application/x-www-form-urlencoded"
	w := h.ask("POST", "/login", form.Encode(), asForm)
	cookie := w.Header().Get("Set-Cookie")
	if w.Code != 200 || w.Header().Get("Refresh") != "0;url=https://app.example.com/x" ||
		!strings.Contains(w.Body.String(), `href="https://app.example.com/x"`) {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for _, part := range []string{"__Secure-latchkey=", "; Path=/;", "; Domain=example.com", "; HttpOnly", "; Secure",
		"; SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("Set-Cookie: %s: no %s", cookie, part)
		}
	}
	pair, _, _ := strings.Cut(cookie, ";")
	_, token, _ := strings.Cut(pair, "=")
	for name, want := range map[string]int{"__Secure-latchkey": 200, "__Host-latchkey": 401, "latchkey": 401,
		"latchkey-domain": 401} {
		if w := h.ask("GET", "/v1/verify", "", "Cookie: "+name+"="+token); w.Code != want {
			t.Errorf("%s: %d, want %d", name, w.Code, want)
		}
	}
	for next, want := range map[string]string{"https://app.example.com/x": "https://app.example.com/x",
		"https://old.example.org/": "/account?elsewhere", "/account": "/account"} {
		w := h.ask("GET", "/login?next="+url.QueryEscape(next), "", "Cookie: "+pair)
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("signed in, %s: %q, want %q", next, got, want)
		}
	}
	w = h.ask("POST", "/logout", "", asForm, "Cookie: "+pair)
	const gone = "__Secure-latchkey=; Path=/; Domain=example.com; Max-Age=0"
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, gone) {
		t.Errorf("logout: Set-Cookie: %s", got)
	}
	if w := h.ask("GET", "/v1/verify", "", "Cookie: "+pair); w.Code != 401 {
		t.Errorf("after the logout: %d", w.Code)
	}
}

// TestTwoCookies: with a stale and a valid session cookie, a logout revokes the valid one and a
// login deletes the cookies of this host.
func TestTwoCookies(t *testing.T) {
	h := newSharedHarness(t)
	both := "Cookie: __Secure-latchkey=stale; __Secure-latchkey="
	if w := h.ask("POST", "/logout", "", both+h.admin); w.Code != 303 {
		t.Fatalf("%d", w.Code)
	}
	if w := h.ask("GET", "/v1/verify", "", "Cookie: __Secure-latchkey="+h.admin); w.Code != 401 {
		t.Errorf("after the logout: %d", w.Code)
	}
	form := url.Values{"account": {"root@example.com"}, "secret": {"secret1"}}.Encode()
	w := h.ask("POST", "/login", form, "Content-Type: application/x-www-form-urlencoded", both+"older")
	set := strings.Join(w.Header().Values("Set-Cookie"), "\n")
	for _, want := range []string{"__Secure-latchkey=; Path=/; Max-Age=0", "; Domain=login.example.com; Max-Age=0",
		"; Domain=example.com; Max-Age=7"} {
		if !strings.Contains(set, want) {
			t.Errorf("no %q in\n%s", want, set)
		}
	}
}

// TestRedirectLoop: a browser with a session that returns at once is not redirected to the same
// address again.
func TestRedirectLoop(t *testing.T) {
	h := newSharedHarness(t)
	session := "Cookie: __Secure-latchkey=" + h.admin
	const target = "/login?next=https%3A%2F%2Fapp.example.com%2Fx"
	w := h.ask("GET", target, "", session)
	if got := w.Header().Get("Location"); got != "https://app.example.com/x" {
		t.Fatalf("at first: %q", got)
	}
	mark, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	for next, want := range map[string]string{target: "/account?elsewhere",
		"/login?next=https%3A%2F%2Fapp.example.com%2Fy": "https://app.example.com/y", "/login?next=%2Faccount": "/account"} {
		if got := h.ask("GET", next, "", session+"; "+mark).Header().Get("Location"); got != want {
			t.Errorf("then %s: %q, want %q", next, got, want)
		}
	}
}
