//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// administrator makes an administrator and returns a token of it.
func administrator(t *testing.T, s *server) (token string) {
	t.Helper()
	mustRun(t, s.Dir, "secret1\n", "user", "add", "root@example.com", "--nickname", "Root", "--admin", "--secret-stdin")
	return mustRun(t, s.Dir, "", "token", "issue", "root@example.com")
}

func (w *window) signIn(account, secret string) {
	w.t.Helper()
	w.visit("/login")
	w.submit(map[string]string{"account": account, "secret": secret}, "#token-title")
}

// thrownOut says that the next look at the account page leads to signing in.
func (w *window) thrownOut() bool {
	w.t.Helper()
	w.do(chromedp.Click(".brand", chromedp.ByQuery), chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
	return strings.HasPrefix(w.path(), "/login?next=")
}

// TestBrowserEndsAnother: one browser ends the session of another, which is thrown out at its next click.
func TestBrowserEndsAnother(t *testing.T) {
	s := start(t, t.TempDir())
	here, there := open(t, s.URL), open(t, s.URL)
	here.signUp("ann@example.com", "Ann")
	there.signIn("ann@example.com", "correct horse")
	token := there.text("#token-text")
	here.visit("/account")
	if n := here.evaluate(`document.querySelectorAll(".row").length`); n != "2" {
		t.Fatalf("%s tokens are listed", n)
	}
	here.do(chromedp.Click(`//li[contains(@class, "row")][not(contains(., "This one"))]//button`, chromedp.BySearch),
		chromedp.WaitVisible(".notice", chromedp.ByQuery))
	if got := here.text(".notice"); got != "The token has ended." {
		t.Errorf("%q", got)
	}
	if !there.thrownOut() {
		t.Errorf("the other browser is at %s", there.path())
	}
	if got := statusOf(t, s, token); got != http.StatusUnauthorized {
		t.Errorf("its token: %d", got)
	}
	there.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#token-title")
	here.do(chromedp.Click(`form[action="/account/tokens/end-others"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(".notice", chromedp.ByQuery))
	if !there.thrownOut() {
		t.Errorf("after ending all others the other browser is at %s", there.path())
	}
	here.visit("/account")
	here.do(chromedp.Click(`.row button`, chromedp.ByQuery), // the session's own
		chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
}

// TestBrowserDisabled: an administrator disables a user, whose open page ends at its next click.
func TestBrowserDisabled(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	admin := administrator(t, s)
	got := request(t, "PUT", s.URL+"/v1/user/1", `{"state":"disabled"}`, asJSON, bearer(admin))
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if !w.thrownOut() {
		t.Errorf("the user is at %s", w.path())
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#form-errors")
}

// TestBrowserReset: a link to set the secret works once, and looking at it does not spend it.
func TestBrowserReset(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	got := request(t, "POST", s.URL+"/v1/user/1/secret", "", bearer(administrator(t, s)))
	var answer struct{ Link string }
	must(t, json.Unmarshal([]byte(got.Body), &answer))
	path, ok := strings.CutPrefix(answer.Link, s.URL)
	if !ok {
		t.Fatalf("link %s", answer.Link)
	}
	for range 2 { // a scanner of mail
		if got := request(t, "GET", answer.Link, ""); got.Status != http.StatusOK {
			t.Errorf("a scanner: %d", got.Status)
		}
	}
	w.visit(path)
	w.submit(map[string]string{"secret": "short"}, "#secret-wrong")
	w.submit(map[string]string{"secret": "battery staple"}, `form[action="/login"]`)
	if got := w.text(".notice"); !strings.Contains(got, "Your secret is changed") {
		t.Errorf("%q", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#form-errors")
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"}, "#token-title")
	w.visit(path)
	if got := w.text("main"); !strings.Contains(got, "used already") {
		t.Errorf("the link again: %q", got)
	}
}

// TestBrowserService: a token for a program is made in the form, shown once, listed, and works.
func TestBrowserService(t *testing.T) {
	s := start(t, t.TempDir(), "--scope", "read")
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.unfold("Make a token for a program")
	w.submitTo("/account/tokens", map[string]string{"label": "CI <b>", "scope": "read", "lifetime": "604800"},
		"#made-title")
	token := w.text("#made-text")
	body := `{"token":"` + token + `"}`
	if got := request(t, "POST", s.URL+"/v1/token/secret", body, asJSON); !strings.Contains(got.Body, `"scope":"read"`) {
		t.Errorf("introspection: %d %s", got.Status, got.Body)
	}
	w.visit("/account")
	html := w.evaluate("document.documentElement.outerHTML")
	if strings.Contains(html, token) {
		t.Error("the token is shown again")
	}
	if got := w.text("#tokens"); !strings.Contains(got, "CI <b>") || !strings.Contains(got, "Expires in 6 days") {
		t.Errorf("listed: %q", got)
	}
}

// TestBrowserChanges: the nickname and the secret.
func TestBrowserChanges(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.unfold("Change your nickname")
	w.submitTo("/account/nickname", map[string]string{"nickname": "Anna"}, ".notice")
	if got := w.text(".who-name"); got != "Anna" {
		t.Errorf("called %q", got)
	}
	token := w.text("#token-text")
	w.unfold("Change your secret")
	w.submitTo("/account/secret", map[string]string{"old": "wrong", "new": "battery staple"}, "#old-wrong")
	w.submitTo("/account/secret", map[string]string{"old": "correct horse", "new": "battery staple"},
		`form[action="/login"]`)
	if got := statusOf(t, s, token); got != http.StatusUnauthorized {
		t.Errorf("the old token: %d", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"}, "#token-title")
}
