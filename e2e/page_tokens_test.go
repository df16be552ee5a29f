//go:build e2e

package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserRevokesAnother revokes the session of another browser, which is signed out at its next
// click.
func TestBrowserRevokesAnother(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	here, there := openBrowser(t, s.URL), openBrowser(t, s.URL)
	here.signUp("ann@example.com", "Ann")
	there.signIn("ann@example.com", "correct horse")
	token := there.text("#token-text")
	here.visit("/account")
	if n := here.evaluate(`document.querySelectorAll(".row").length`); n != "2" {
		t.Fatalf("%s tokens are listed, want 2", n)
	}
	here.press(`//li[contains(@class, "row")][not(contains(., "This session"))]//button`)
	here.awaitNotice("Token revoked.")
	if !there.isSignedOut() {
		t.Errorf("the other browser is at %s, want the login page", there.path())
	}
	if got := statusOf(t, s, token); got != http.StatusUnauthorized {
		t.Errorf("its token: status %d, want 401", got)
	}
	there.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"},
		"#token-title")
	here.press(`form[action="/account/tokens/end-others"] button`)
	here.awaitNotice("All your other tokens are revoked.")
	if !there.isSignedOut() {
		t.Errorf("after revoking all others the other browser is at %s, want the login page",
			there.path())
	}
	here.visit("/account")
	here.press(`.row button`) // this session
	here.do(chromedp.WaitVisible(`form[action="/login"]`, chromedp.ByQuery))
}

// TestBrowserServiceToken issues a service token on the account page. It is shown once, listed and
// valid.
func TestBrowserServiceToken(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--scope", "read")
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.unfold("Create a service token")
	w.submitTo("/account/tokens", map[string]string{"label": "CI <b>", "scope": "read",
		"lifetime": "604800"}, "#created-title")
	token := w.text("#created-text")
	body := `{"token":"` + token + `"}`
	if got := request(t, "POST", s.URL+"/v1/token/secret", body, asJSON); !strings.Contains(got.Body, `"scope":"read"`) {
		t.Errorf("introspection: status %d, want the scope read: %s", got.Status, got.Body)
	}
	w.visit("/account")
	html := w.evaluate("document.documentElement.outerHTML")
	if strings.Contains(html, token) {
		t.Error("the account page shows the token again")
	}
	if got := w.text("#tokens"); !strings.Contains(got, "CI <b>") ||
		!strings.Contains(got, "Expires in 6 days") {
		t.Errorf("the list shows %q, want the label and the expiry", got)
	}
}
