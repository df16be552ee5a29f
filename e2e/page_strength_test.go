//go:build e2e

package e2e_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"latchkey/auth/strength"
)

// meterPage is a page with a meter under the field for a new password.
type meterPage struct {
	name, path, field string
	server            passwordSetter // sets the same password, to compare the errors
	prepare           func()         // fills in the other fields
}

// TestBrowserStrength types passwords into every field for a new one. The meter under it shows the
// server's words.
func TestBrowserStrength(t *testing.T) {
	t.Parallel()
	flags := append(slices.Clone(cheapHashes), "--secret-strength", "3")
	s := start(t, t.TempDir(), flags...)
	w := openBrowser(t, s.URL)
	const account = "quincetree@page.example"
	mustRun(t, s.Dir, "six words\n", "user", "add", account, "--nickname", "Юлия", "--secret-stdin")
	token := mustRun(t, s.Dir, "", "token", "issue", account)
	link := request(t, "POST", s.URL+"/v1/user/"+idOf(t, s, account)+"/secret", "",
		bearer(administrator(t, s)))
	reset := url.Values{"token": {tokenInLink.FindStringSubmatch(link.Body)[1]}}
	person := url.Values{"account": {"quincetree@form.example"}, "nickname": {"Юлия"}}
	pages := []meterPage{
		{"register", "/register", "secret", setByForm(t, s, "/register", person, "secret"), func() {
			w.do(chromedp.SendKeys("#account", "quincetree@form.example", chromedp.ByQuery),
				chromedp.SendKeys("#nickname", "Юлия", chromedp.ByQuery))
		}},
		{"reset", "/reset?" + reset.Encode(), "secret", setByForm(t, s, "/reset", reset, "secret"),
			func() {}},
		{"change", "/account", "new", setByForm(t, s, "/account/secret", url.Values{"old": {"six words"}},
			"new", "Cookie: latchkey="+token), func() { w.unfold("Change your password") }},
	}
	w.signIn(account, "six words")
	for _, p := range pages {
		w.compareMeter(p)
	}
	w.submitTo("/account/secret", map[string]string{"old": "six words", "new": "lantern vole drizzle"},
		`form[action="/login"]`)
	if got := w.text("main"); !strings.Contains(got, "Password changed.") {
		t.Errorf("after the change the page shows %q, want \"Password changed.\"", got)
	}
}

// compareMeter types passwords on a page, and requires that the meter agrees with the server. The
// page loads the script of the meter when the user begins to type.
func (w *window) compareMeter(p meterPage) {
	w.t.Helper()
	w.visit(p.path)
	loaded := `performance.getEntriesByName("` + w.url + `/static/` + strength.ScriptName + `").length`
	if n := w.evaluate(loaded); n != "0" {
		w.t.Errorf("%s: the script of the meter is loaded %s times before the first key, want 0", p.name,
			n)
	}
	p.prepare()
	for _, password := range []string{"dragon", "P4ssword1", "quincetree", "юЛИЯ1987", "qwertzuiopü",
		"абвгдежз", "127.0.0.1", "👨‍👩‍👧‍👦", "סודגדול", "  xkq84j", "xkq84", "elephant9x"} {
		name, advice, rejected := w.typePassword(p.field, password)
		if name == "Too short" {
			advice = "At least 6 characters."
		}
		if response, _ := p.server(password); advice != response || rejected != "true" {
			w.t.Errorf("%s: %s: the meter shows %q, %q, rejected: %s; the server says %q",
				p.name, password, name, advice, rejected, response)
		}
	}
	name, advice, rejected := w.typePassword(p.field, "lantern vole drizzle")
	if name != "Strong" || advice != "" || rejected != "false" {
		w.t.Errorf("%s: a strong password: the meter shows %q, %q, rejected: %s", p.name, name, advice,
			rejected)
	}
	if n := w.evaluate(loaded); n != "1" {
		w.t.Errorf("%s: the script of the meter was loaded %s times, want 1", p.name, n)
	}
}

// typePassword enters a password into a field as a keyboard does, and returns what the meter shows.
func (w *window) typePassword(field, password string) (name, advice, rejected string) {
	w.t.Helper()
	w.evaluate(`document.querySelector("#` + field + `").value = ""`)
	w.do(chromedp.Focus("#"+field, chromedp.ByQuery), input.InsertText(password),
		chromedp.WaitVisible("#"+field+"-strength", chromedp.ByQuery))
	if typed := w.evaluate(`document.querySelector("#` + field + `").value`); typed != password {
		w.t.Fatalf("typed %q, the field has %q", password, typed)
	}
	rejected = w.evaluate(`document.querySelector("#` + field + `-strength").dataset.refused`)
	return w.text("#" + field + "-strength .strength-name"), w.text("#" + field +
		"-strength .strength-advice"), rejected
}

// TestBrowserStrengthWithoutScript registers with JavaScript disabled. There is no meter; the
// server rejects weak passwords.
func TestBrowserStrengthWithoutScript(t *testing.T) {
	t.Parallel()
	w := openBrowser(t, start(t, t.TempDir(), append(slices.Clone(cheapHashes), "--secret-strength",
		"3")...).URL)
	w.do(emulation.SetScriptExecutionDisabled(true))
	w.visit("/register")
	w.submit(map[string]string{"account": "ann@example.com", "nickname": "Ann", "secret": "dragon"},
		"#secret-wrong")
	if got := w.text("#secret-wrong"); !strings.Contains(got, "most common passwords") {
		t.Errorf("the page shows %q, want that the password is one of the most common", got)
	}
	w.submit(map[string]string{"nickname": "Ann", "secret": "  lantern vole drizzle "}, "#token-title")
	w.signOut()
	w.submit(map[string]string{"account": "ann@example.com", "secret": "lantern vole drizzle"},
		"#form-errors")
	w.submit(map[string]string{"account": "ann@example.com", "secret": "  lantern vole drizzle "},
		"#token-title")
}
