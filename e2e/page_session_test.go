//go:build e2e

package e2e_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

var setupLink = regexp.MustCompile(`http://\S+(/setup\?token=\S+)`)

// TestBrowserSetup creates the first administrator with the setup link, which works once.
func TestBrowserSetup(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	link := setupLink.FindStringSubmatch(s.out.String())[1]
	w := openBrowser(t, s.URL)
	w.visit(link)
	w.visit(link) // opening the link does not use it up
	w.submit(map[string]string{"account": "root@example.com", "nickname": "Root",
		"secret": "correct horse"}, "#token-title")
	if got := w.text("header"); !strings.Contains(got, "Root") || !strings.Contains(got, "Admin") {
		t.Errorf("the header is %q, want Root and Admin in it", got)
	}
	token := w.text("#token-text")
	got := request(t, "GET", s.URL+"/v1/user/99", "", basic(token, ""))
	checkStatus(t, "an unknown user as administrator", got, 404)
	w.visit(link)
	if got := w.text("main"); !strings.Contains(got, "An administrator already exists") {
		t.Errorf("the used link shows %q", got)
	}
}

// TestBrowserSession signs in, copies the token and signs out. Afterwards the token and the cookie
// are invalid.
func TestBrowserSession(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	if got := w.text("main"); !strings.Contains(got, "You are signed out.") {
		t.Errorf("after signing out the page shows %q", got)
	}
	w.submit(map[string]string{"account": "Ann@Example.com", "secret": "correct horse"},
		"#token-title")
	token := w.copyToken()
	out, err := exec.Command("curl", "-s", "-u", token+":", s.URL+"/v1/user").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"nickname":"Ann"`) {
		t.Errorf("curl with the copied token: %v, %s, want the nickname Ann", err, out)
	}
	w.signOut()
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login?next=") {
		t.Errorf("the account page after signing out leads to %s, want the login page", got)
	}
	if got := statusOf(t, s, token); got != 401 {
		t.Errorf("the token after signing out: status %d, want 401", got)
	}
	w.do(network.SetCookie("latchkey", token).WithURL(s.URL).WithHTTPOnly(true))
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login") {
		t.Errorf("the account page with the old cookie leads to %s, want the login page", got)
	}
}

// TestBrowserWrongPassword signs in with a wrong password and to an unknown account. Both show the
// same error and clear the password.
func TestBrowserWrongPassword(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	errors := map[string]bool{}
	for _, account := range []string{"ann@example.com", "bob@example.com"} {
		w.visit("/login")
		w.submit(map[string]string{"account": account, "secret": "a wrong password"}, "#form-errors")
		errors[w.text("#form-errors")] = true
		if got := w.evaluate(`document.querySelector("[name=secret]").value`); got != "" {
			t.Errorf("the password field contains %q, want nothing", got)
		}
	}
	if len(errors) != 1 {
		t.Errorf("the errors differ: %v", errors)
	}
}

// TestBrowserFieldErrors submits invalid fields. Each shows its own error.
func TestBrowserFieldErrors(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir()).URL)
	w.visit("/register")
	w.submit(map[string]string{"account": "nobody", "nickname": "x", "secret": "123"},
		"#account-wrong")
	for field, want := range map[string]string{"account": "5 to 15 digits",
		"nickname": "between 2 and 22", "secret": "At least 6"} {
		if got := w.text("#" + field + "-wrong"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

// TestBrowserFreshToken issues another token on the account page. Both tokens are valid.
func TestBrowserFreshToken(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	first := w.text("#token-text")
	w.press(`form[action="/account/token"] button`)
	w.awaitNotice("New token issued.")
	second := w.text("#token-text")
	if first == second {
		t.Error("the new token equals the old one")
	}
	for _, token := range []string{first, second} {
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("a token: status %d, want 200", got)
		}
	}
}

// TestBrowserNext signs in with a next parameter. It leads to pages of this site only.
func TestBrowserNext(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir()).URL)
	w.signUp("ann@example.com", "Ann")
	for next, want := range map[string]string{"//evil.example": "/account",
		"https://evil.example/": "/account", "/account%3Fa=1": "/account?a=1"} {
		w.signOut()
		w.visit("/login?next=" + next)
		w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"},
			"#token-title")
		if got := w.path(); got != want {
			t.Errorf("next=%s leads to %s, want %s", next, got, want)
		}
	}
}
