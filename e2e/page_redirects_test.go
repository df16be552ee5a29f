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

// house is two services and Latchkey's pages behind one nginx, at hosts of one domain.
type house struct {
	login, app, wiki string // http://NAME.door.localhost:PORT
	latchkey         *server
}

func newHouse(t *testing.T) house {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	at := func(name string) string { return "http://" + name + ".door.localhost:" + port }
	h := house{login: at("login"), app: at("app"), wiki: at("wiki")}
	h.latchkey = start(t, t.TempDir(), append(cheapHashes, "--trusted-proxy", "127.0.0.1/32",
		"--public-url", h.login, "--cookie-domain", "door.localhost")...)
	dir := t.TempDir()
	config := []string{recipe(t, "nginx", "http", "127.0.0.1:8080", bare(h.latchkey.URL)),
		recipe(t, "nginx", "login", "listen 80;", "listen "+address+";", "/var/log/nginx/", dir+"/",
			"login.example.com", "login.door.localhost")}
	for _, name := range []string{"app", "wiki"} {
		config = append(config, recipe(t, "nginx", "service", "listen 80;", "listen "+address+";",
			"/var/log/nginx/", dir+"/", "127.0.0.1:3000", bare(newService(t).URL),
			"app.example.com", name+".door.localhost"))
	}
	startNginx(t, address, dir, strings.Join(config, ""))
	account(t, h.latchkey, "ann@example.com")
	return h
}

// TestBrowserSingleSignOn: a page behind nginx leads to the login page and back to where its reader wanted to go; one login
// opens every host of the domain and one logout closes them; scripts are refused without a dialog.
func TestBrowserSingleSignOn(t *testing.T) {
	h := newHouse(t)
	w := open(t, h.login)
	goTo := func(address, want string) {
		t.Helper()
		w.do(chromedp.Navigate(address), chromedp.WaitReady("main"))
		if got := w.evaluate("location.href"); !strings.HasPrefix(got, want) {
			t.Fatalf("%s leads to %s, want %s", address, got, want)
		}
	}
	signIn := func(back string) {
		t.Helper()
		w.do(chromedp.SetValue("[name=account]", "ann@example.com"), chromedp.SetValue("[name=secret]", "secret1"),
			chromedp.Click("form[action='/login'] button[type=submit]"))
		await(t, "the login to lead to "+back, func() bool {
			var where string
			return chromedp.Run(w.ctx, chromedp.Location(&where)) == nil && where == back
		})
		w.do(chromedp.WaitReady("main"))
	}
	page := h.app + "/a/page?b=c%20d&e=%26"
	goTo(page, h.login+"/login?next=")
	if got := w.text("main"); !strings.Contains(got, "Sign in to continue to "+h.app+".") {
		t.Errorf("the login page does not say what for: %s", got)
	}
	signIn(page)
	if got := w.text("main"); got != "behind /a/page" {
		t.Errorf("behind the door: %q", got)
	}
	goTo(h.wiki+"/other", h.wiki+"/other")
	goTo(h.login+"/login?next="+url.QueryEscape(h.app+"/a"), h.app+"/a")
	const ask = `fetch("/data").then(r => r.status + " " + r.headers.get("WWW-Authenticate"))`
	if got := w.promise(ask); got != "200 null" {
		t.Errorf("a script with a session: %s", got)
	}
	goTo(h.login+"/account", h.login+"/account")
	w.signOut()
	for _, host := range []string{h.app, h.wiki} {
		goTo(host+"/x", h.login+"/login?next=")
	}
	w.do(chromedp.SetValue("[name=account]", "ann@example.com"))
	signIn(h.wiki + "/x")
	mustRun(t, h.latchkey.Dir, "", "token", "revoke", "--all", "ann@example.com", "--yes")
	await(t, "the end of the session", func() bool { return strings.HasPrefix(w.promise(ask), "401") })
	for name, script := range map[string]string{
		"fetch": ask,
		"XMLHttpRequest": `new Promise(done => { const x = new XMLHttpRequest(); x.open("GET", "/data");
			x.onload = () => done(x.status + " " + x.getResponseHeader("WWW-Authenticate")); x.send() })`,
	} {
		if got := w.promise(script); got != "401 null" {
			t.Errorf("%s without a session: %s", name, got)
		}
	}
	const image = `new Promise(done => { const i = new Image(); i.onload = () => done("shown");
		i.onerror = () => done("refused"); i.src = "/picture.png" })`
	if got := w.promise(image); got != "refused" {
		t.Errorf("an image without a session: %s", got)
	}
	goTo(h.wiki+"/x", h.login+"/login?next=")
}

// TestBrowserHostileNext: the browser itself reads where each hostile wish would lead it: nowhere but here.
func TestBrowserHostileNext(t *testing.T) {
	h := newHouse(t)
	text, err := os.ReadFile("testdata/hostile-next.json")
	must(t, err)
	var wishes, leads []string
	must(t, json.Unmarshal(text, &wishes))
	token := login(t, h.latchkey, "ann@example.com")
	for _, wish := range wishes {
		got := request(t, "GET", h.latchkey.URL+"/login?next="+url.QueryEscape(wish), "", "Cookie: latchkey-domain="+token)
		if got.Status != 303 {
			t.Fatalf("%q: %d", wish, got.Status)
		}
		leads = append(leads, got.Header.Get("Location"))
	}
	w := open(t, h.login)
	w.visit("/login")
	list, err := json.Marshal(leads)
	must(t, err)
	var origins []string
	w.do(chromedp.Evaluate(string(list)+`.map(l => new URL(l, location).origin)`, &origins))
	for i, origin := range origins {
		if origin != h.login {
			t.Errorf("%q leads to %s by %q", wishes[i], origin, leads[i])
		}
	}
	if len(origins) < 300 {
		t.Errorf("only %d wishes", len(origins))
	}
}
