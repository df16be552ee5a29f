//go:build e2e

package e2e_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

var setupLink = regexp.MustCompile(`http://\S+(/setup\?token=\S+)`)

func TestBrowserSetup(t *testing.T) {
	s := start(t, t.TempDir())
	link := setupLink.FindStringSubmatch(s.out.String())[1]
	w := open(t, s.URL)
	w.visit(link)
	w.visit(link) // looking does not spend it
	w.submit(map[string]string{"account": "root@example.com", "nickname": "Root", "secret": "correct horse"},
		"#token-title")
	if got := w.text("header"); !strings.Contains(got, "Root") || !strings.Contains(got, "Admin") {
		t.Errorf("header %q", got)
	}
	token := w.text("#token-text")
	if got := request(t, "GET", s.URL+"/v1/user/99", "", basic(token, "")); got.Status != 404 {
		t.Errorf("an administrator asks for a user that is not there: status %d", got.Status)
	}
	w.visit(link)
	if got := w.text("main"); !strings.Contains(got, "An administrator already exists") {
		t.Errorf("the link again: %q", got)
	}
}

func TestBrowserSession(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	if got := w.text("main"); !strings.Contains(got, "You are signed out.") {
		t.Errorf("after signing out: %q", got)
	}
	w.submit(map[string]string{"account": "Ann@Example.com", "secret": "correct horse"}, "#token-title")
	token := w.copyToken()
	out, err := exec.Command("curl", "-s", "-u", token+":", s.URL+"/v1/user").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"nickname":"Ann"`) {
		t.Errorf("curl with the copied token: %v, %s", err, out)
	}
	w.signOut()
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login?next=") {
		t.Errorf("the account page after signing out leads to %s", got)
	}
	if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 401 {
		t.Errorf("the token after signing out: status %d", got.Status)
	}
	w.do(network.SetCookie("latchkey", token).WithURL(s.URL).WithHTTPOnly(true))
	w.visit("/account")
	if got := w.path(); !strings.HasPrefix(got, "/login") {
		t.Errorf("the old cookie put back leads to %s", got)
	}
}

func TestBrowserWrongPassword(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.signOut()
	said := map[string]bool{}
	for _, account := range []string{"ann@example.com", "bob@example.com"} {
		w.visit("/login")
		w.submit(map[string]string{"account": account, "secret": "a wrong secret"}, "#form-errors")
		said[w.text("#form-errors")] = true
		if got := w.evaluate(`document.querySelector("[name=secret]").value`); got != "" {
			t.Errorf("the secret is put back: %q", got)
		}
	}
	if len(said) != 1 {
		t.Errorf("unknown and wrong are told apart: %v", said)
	}
}

func TestBrowserFieldErrors(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.visit("/register")
	w.submit(map[string]string{"account": "nobody", "nickname": "x", "secret": "123"}, "#account-wrong")
	for field, want := range map[string]string{"account": "5 to 15 digits", "nickname": "between 2 and 22",
		"secret": "At least 6"} {
		if got := w.text("#" + field + "-wrong"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestBrowserFreshToken(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	first := w.text("#token-text")
	w.do(chromedp.Click(`form[action="/account/token"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(".notice", chromedp.ByQuery))
	second := w.text("#token-text")
	if first == second {
		t.Error("the same token")
	}
	for _, token := range []string{first, second} {
		if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
			t.Errorf("status %d", got.Status)
		}
	}
}

func TestBrowserNext(t *testing.T) {
	w := open(t, start(t, t.TempDir()).URL)
	w.signUp("ann@example.com", "Ann")
	for next, want := range map[string]string{"//evil.example": "/account", "https://evil.example/": "/account",
		"/account%3Fa=1": "/account?a=1"} {
		w.signOut()
		w.visit("/login?next=" + next)
		w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#token-title")
		if got := w.path(); got != want {
			t.Errorf("next=%s leads to %s, want %s", next, got, want)
		}
	}
}
