//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// site is two services and Latchkey behind one nginx, at hosts of one domain.
type site struct {
	login, app, wiki string // http://NAME.sso.localhost:PORT
	latchkey         *server
}

// newSite starts a site with the account ann@example.com.
func newSite(t *testing.T) site {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	at := func(name string) string { return "http://" + name + ".sso.localhost:" + port }
	h := site{login: at("login"), app: at("app"), wiki: at("wiki")}
	h.latchkey = start(t, t.TempDir(), append(cheapHashes, "--trusted-proxy", "127.0.0.1/32",
		"--registration", "open", "--public-url", h.login, "--cookie-domain", "sso.localhost")...)
	dir := t.TempDir()
	config := []string{recipe(t, "nginx", "http", "127.0.0.1:8080", bare(h.latchkey.URL)),
		recipe(t, "nginx", "login", "listen 80;", "listen "+address+";", "/var/log/nginx/", dir+"/",
			"login.example.com", "login.sso.localhost")}
	for _, name := range []string{"app", "wiki"} {
		config = append(config, recipe(t, "nginx", "service", "listen 80;", "listen "+address+";",
			"/var/log/nginx/", dir+"/", "127.0.0.1:3000", bare(newService(t).URL),
			"app.example.com", name+".sso.localhost"))
	}
	startNginx(t, address, dir, strings.Join(config, ""))
	account(t, h.latchkey, "ann@example.com")
	return h
}

// TestBrowserSingleSignOn opens pages of services behind nginx. The browser is redirected to the
// login page and, after the login, back to the page. One login is valid for every host of the
// domain, and one logout ends it for all.
func TestBrowserSingleSignOn(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	w := openBrowser(t, h.login)
	page := h.app + "/a/page?b=c%20d&e=%26"
	w.navigate(page, h.login+"/login?next=")
	if got := w.text("main"); !strings.Contains(got, "Sign in to continue to "+h.app+".") {
		t.Errorf("the login page shows %q, want the service's address", got)
	}
	w.signInTo(page)
	if got := w.text("main"); got != "behind /a/page" {
		t.Errorf("after the login the page shows %q, want \"behind /a/page\"", got)
	}
	w.navigate(h.wiki+"/other", h.wiki+"/other")
	w.navigate(h.login+"/login?next="+url.QueryEscape(h.app+"/a"), h.app+"/a")
	if got := w.evaluateAsync(fetchData); got != "200 null" {
		t.Errorf("fetch with a session: %s, want 200 null", got)
	}
	w.navigate(h.login+"/account", h.login+"/account")
	w.signOut()
	for _, host := range []string{h.app, h.wiki} {
		w.navigate(host+"/x", h.login+"/login?next=")
	}
	w.signInTo(h.wiki + "/x")
	mustRun(t, h.latchkey.Dir, "", "token", "revoke", "--all", "ann@example.com", "--yes")
	await(t, "the end of the session", func() bool {
		return strings.HasPrefix(w.evaluateAsync(fetchData), "401")
	})
	w.requireScriptsRejected()
	w.navigate(h.wiki+"/x", h.login+"/login?next=")
}

// fetchData is a script that fetches /data and returns the status and the challenge.
const fetchData = `fetch("/data").then(r => r.status + " " + r.headers.get("WWW-Authenticate"))`

// navigate opens an address, which must lead to a URL that begins with want.
func (w *window) navigate(address, want string) {
	w.t.Helper()
	w.do(chromedp.Navigate(address), chromedp.WaitReady("main"))
	if got := w.evaluate("location.href"); !strings.HasPrefix(got, want) {
		w.t.Fatalf("%s leads to %s, want %s", address, got, want)
	}
}

// signInTo signs in on the current login page, which must lead to target.
func (w *window) signInTo(target string) {
	w.t.Helper()
	w.do(chromedp.SetValue("[name=account]", "ann@example.com"),
		chromedp.SetValue("[name=secret]", "secret1"))
	w.press("form[action='/login'] button[type=submit]")
	await(w.t, "the login to lead to "+target, func() bool {
		var where string
		return chromedp.Run(w.ctx, chromedp.Location(&where)) == nil && where == target
	})
	w.do(chromedp.WaitReady("main"))
}

// requireScriptsRejected requires that scripts and images of a page get 401 without a challenge,
// which would open the browser's dialog.
func (w *window) requireScriptsRejected() {
	w.t.Helper()
	for name, script := range map[string]string{
		"fetch": fetchData,
		"XMLHttpRequest": `new Promise(done => { const x = new XMLHttpRequest(); x.open("GET", "/data");
			x.onload = () => done(x.status + " " + x.getResponseHeader("WWW-Authenticate")); x.send() })`,
	} {
		if got := w.evaluateAsync(script); got != "401 null" {
			w.t.Errorf("%s without a session: %s, want 401 null", name, got)
		}
	}
	const image = `new Promise(done => { const i = new Image(); i.onload = () => done("shown");
		i.onerror = () => done("rejected"); i.src = "/picture.png" })`
	if got := w.evaluateAsync(image); got != "rejected" {
		w.t.Errorf("an image without a session is %s, want rejected", got)
	}
}

// TestBrowserHostileNext logs in with hostile next parameters. The browser resolves each Location
// to the login host.
func TestBrowserHostileNext(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	text, err := os.ReadFile("testdata/hostile-next.json")
	must(t, err)
	var targets, locations []string
	must(t, json.Unmarshal(text, &targets))
	token := login(t, h.latchkey, "ann@example.com")
	for _, target := range targets {
		got := request(t, "GET", h.latchkey.URL+"/login?next="+url.QueryEscape(target), "",
			"Cookie: latchkey-domain="+token)
		if got.Status != 303 {
			t.Fatalf("next=%q: status %d, want 303", target, got.Status)
		}
		locations = append(locations, got.Header.Get("Location"))
	}
	w := openBrowser(t, h.login)
	w.visit("/login")
	list, err := json.Marshal(locations)
	must(t, err)
	var origins []string
	w.do(chromedp.Evaluate(string(list)+`.map(l => new URL(l, location).origin)`, &origins))
	for i, origin := range origins {
		if origin != h.login {
			t.Errorf("next=%q leads to %s by Location %q, want %s", targets[i], origin, locations[i],
				h.login)
		}
	}
	if len(origins) < 300 {
		t.Errorf("%d targets were tested, want at least 300", len(origins))
	}
}
