//go:build e2e

package e2e_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"latchkey/auth/strength"
)

// meterSays puts a secret into a field, as a keyboard for any script would, and returns what the
// meter then says.
func (w *window) meterSays(field, secret string) (name, advice, refused string) {
	w.t.Helper()
	w.evaluate(`document.querySelector("#` + field + `").value = ""`)
	w.do(chromedp.Focus("#"+field, chromedp.ByQuery), input.InsertText(secret),
		chromedp.WaitVisible("#"+field+"-strength", chromedp.ByQuery))
	if typed := w.evaluate(`document.querySelector("#` + field + `").value`); typed != secret {
		w.t.Fatalf("typed %q, the field has %q", secret, typed)
	}
	refused = w.evaluate(`document.querySelector("#` + field + `-strength").dataset.refused`)
	return w.text("#" + field + "-strength .strength-name"), w.text("#" + field + "-strength .strength-advice"), refused
}

// TestBrowserStrength: the meter under every field for a new secret says what the server says, word
// for word.
func TestBrowserStrength(t *testing.T) {
	flags := append(append([]string{}, cheapHashes...), "--secret-strength", "3")
	s := start(t, t.TempDir(), flags...)
	w := open(t, s.URL)
	mustRun(t, s.Dir, "six words\n", "user", "add", "quincetree@page.example", "--nickname", "Юлия", "--secret-stdin")
	token := mustRun(t, s.Dir, "", "token", "issue", "quincetree@page.example")
	link := request(t, "POST", s.URL+"/v1/user/"+idOf(t, s, "quincetree@page.example")+"/secret", "",
		bearer(administrator(t, s)))
	reset := url.Values{"token": {tokenInLink.FindStringSubmatch(link.Body)[1]}}

	pages := []struct {
		name, path, field string
		set               passwordSetter // the server's response
		prepare           func()
	}{
		{"register", "/register", "secret", setByForm(t, s, "/register",
			url.Values{"account": {"quincetree@form.example"}, "nickname": {"Юлия"}}, "secret"), func() {
			w.do(chromedp.SendKeys("#account", "quincetree@form.example", chromedp.ByQuery),
				chromedp.SendKeys("#nickname", "Юлия", chromedp.ByQuery))
		}},
		{"reset", "/reset?" + reset.Encode(), "secret", setByForm(t, s, "/reset", reset, "secret"), func() {}},
		{"change", "/account", "new", setByForm(t, s, "/account/secret", url.Values{"old": {"six words"}}, "new",
			"Cookie: latchkey="+token), func() { w.unfold("Change your password") }},
	}
	w.visit("/login")
	w.submit(map[string]string{"account": "quincetree@page.example", "secret": "six words"}, "#token-title")
	for _, p := range pages {
		w.visit(p.path)
		loaded := `performance.getEntriesByName("` + s.URL + `/static/` + strength.ScriptName + `").length`
		if n := w.evaluate(loaded); n != "0" {
			t.Errorf("%s: the rule is loaded before anybody types", p.name)
		}
		p.prepare()
		for _, secret := range []string{"dragon", "P4ssword1", "quincetree", "юЛИЯ1987", "qwertzuiopü", "абвгдежз",
			"127.0.0.1", "👨‍👩‍👧‍👦", "סודגדול", "  xkq84j", "xkq84", "elephant9x", "lantern vole drizzle"} {
			name, advice, refused := w.meterSays(p.field, secret)
			if secret == "lantern vole drizzle" { // the last: it is taken
				if name != "Strong" || advice != "" || refused != "false" {
					t.Errorf("%s: %s: the meter says %q, %q, refused: %s", p.name, secret, name, advice, refused)
				}
				continue
			}
			said, _ := p.set(secret)
			if name == "Too short" {
				advice = "At least 6 characters."
			}
			if advice != said || refused != "true" {
				t.Errorf("%s: %s: the meter says %q, %q, refused: %s; the server %q", p.name, secret, name, advice, refused, said)
			}
		}
		if n := w.evaluate(loaded); n != "1" {
			t.Errorf("%s: the rule was loaded %s times", p.name, n)
		}
	}
	w.submitTo("/account/secret", map[string]string{"old": "six words", "new": "lantern vole drizzle"},
		`form[action="/login"]`)
	if got := w.text("main"); !strings.Contains(got, "Password changed.") {
		t.Errorf("after the change: %q", got)
	}
}

// TestBrowserStrengthWithoutScript: without script there is no meter, and the server refuses all
// the same.
func TestBrowserStrengthWithoutScript(t *testing.T) {
	w := open(t, start(t, t.TempDir(), append(append([]string{}, cheapHashes...), "--secret-strength", "3")...).URL)
	w.do(emulation.SetScriptExecutionDisabled(true))
	w.visit("/register")
	w.submit(map[string]string{"account": "ann@example.com", "nickname": "Ann", "secret": "dragon"}, "#secret-wrong")
	if got := w.text("#secret-wrong"); !strings.Contains(got, "most used secrets") {
		t.Errorf("the server says %q", got)
	}
	w.submit(map[string]string{"nickname": "Ann", "secret": "  lantern vole drizzle "}, "#token-title")
	w.signOut()
	w.submit(map[string]string{"account": "ann@example.com", "secret": "lantern vole drizzle"}, "#form-errors")
	w.submit(map[string]string{"account": "ann@example.com", "secret": "  lantern vole drizzle "}, "#token-title")
}
