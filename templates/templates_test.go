package templates_test

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/templates"
)

type page interface{ Render(w io.Writer) error }

const hostile = `<b onclick="x">&'"</b>`

// pages returns every page, with hostile text wherever a user's text appears.
func pages() map[string]page {
	someone := templates.Chrome{SignedIn: true, Nickname: hostile, Administrator: true}
	wrong := templates.FieldErrors{"": {hostile}, "account": {hostile}, "secret": {hostile}}
	at := time.Unix(1795421052, 0).UTC()
	rule := templates.PasswordRule{MinLength: 6, Strength: 3, Related: []string{hostile}}
	return map[string]page{
		"login": templates.Login{Account: hostile, Next: "/account?" + hostile, RegistrationOpen: true,
			Notice: hostile, Errors: wrong},
		"register": templates.Register{Account: hostile, Nickname: hostile, Next: "/", Rule: rule, Errors: wrong},
		"setup":    templates.Setup{Token: hostile, Account: hostile, Nickname: hostile, Rule: rule, Errors: wrong},
		"account": templates.Account{Chrome: someone, UID: 7, AccountName: hostile, AccountLabel: "E-mail",
			Scope: "UserScope", Role: "user", Token: strings.Repeat("aB-_", 14), IssuedAt: at,
			ExpiresAt: at.Add(2 * time.Hour), Now: at.Add(time.Minute), BaseURL: "http://127.0.0.1:8080",
			Notice: hostile, Created: &templates.CreatedToken{Token: strings.Repeat("Cd-_", 14), Label: hostile},
			Tokens: []templates.TokenRow{{ID: "7-1-0", Scope: "UserScope", UserAgent: hostile, Current: true},
				{ID: "7-2-0", Label: hostile, Scope: "read", IssuedAt: at.Add(-999 * time.Hour),
					ExpiresAt: at.Add(72 * time.Hour), ExpiresSoon: true}},
			Service: templates.ServiceForm{Label: hostile, Scopes: []templates.Option{{Value: "read", Label: "read"}},
				Lifetimes: []templates.Option{{Value: "60", Label: hostile}}, Errors: templates.FieldErrors{"label": {hostile}}},
			Name: templates.NameForm{Nickname: hostile}, Password: templates.PasswordForm{Rule: rule}},
		"reset":    templates.Reset{Token: hostile, AccountName: hostile, Rule: rule, Errors: wrong},
		"continue": templates.Continue{Next: "https://app.example.com/?" + hostile, Site: hostile},
		"problem":  templates.Problem{Chrome: someone, Status: 404, Title: hostile, Message: hostile, RequestID: "abc"},
	}
}

func render(t *testing.T, p page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPages: every page escapes user input and complies with the content security policy.
func TestPages(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"an inline style":         regexp.MustCompile(`(?i)<style|<[^>]*\sstyle=`),
		"an event handler":        regexp.MustCompile(`(?i)<[^>]*\son[a-z]+=`),
		"an inline script":        regexp.MustCompile(`(?is)<script[^>]*>[^<]`),
		"something from outside":  regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`),
		"what a user typed, live": regexp.MustCompile(`<b onclick`),
	}
	for name, p := range pages() {
		t.Run(name, func(t *testing.T) {
			html := render(t, p)
			tags := regexp.MustCompile(`"[^"]*"`).ReplaceAllStringFunc(html, func(value string) string {
				if strings.Contains(value, "//") {
					return value
				}
				return `""` // an escaped attribute value is text
			})
			tags = strings.ReplaceAll(tags, `href="https://app.example.com/`, `href="/`) // the link of the continue page
			for what, pattern := range forbidden {
				if found := pattern.FindString(tags); found != "" {
					t.Errorf("%s: %q", what, found)
				}
			}
			for _, want := range []string{"<!doctype html>", `<html lang="en"`, "<title>", "<main", "</html>"} {
				if !strings.Contains(strings.ToLower(html), want) {
					t.Errorf("no %s", want)
				}
			}
		})
	}
}

// TestFields: every visible field has a label and says what a password manager may fill in.
func TestFields(t *testing.T) {
	input, attribute := regexp.MustCompile(`(?s)<(?:input|select)[^>]*>`), regexp.MustCompile(`id="([^"]+)"`)
	want := map[string]string{"login": "current-password", "register": "new-password", "setup": "new-password",
		"reset": "new-password", "account": "current-password"}
	for name, autocomplete := range want {
		html := render(t, pages()[name])
		for _, field := range input.FindAllString(html, -1) {
			if strings.Contains(field, `type="hidden"`) {
				continue
			}
			id := attribute.FindStringSubmatch(field)
			if id == nil || !strings.Contains(html, `for="`+id[1]+`"`) {
				t.Errorf("%s: no label for %s", name, field)
			}
			if strings.HasPrefix(field, "<input") && !strings.Contains(field, "autocomplete=") {
				t.Errorf("%s: no autocomplete in %s", name, field)
			}
		}
		if !strings.Contains(html, `autocomplete="`+autocomplete+`"`) {
			t.Errorf("%s: no %s", name, autocomplete)
		}
	}
}

// TestRecipes: the commands on the account page put the token in the password slot, but for the
// last.
func TestRecipes(t *testing.T) {
	token := strings.Repeat("aB-_", 14)
	html := strings.NewReplacer("&#39;", "'", "&#34;", `"`).Replace(render(t, pages()["account"]))
	for _, want := range []string{"curl -u 'latchkey:" + token + "' ",
		"machine 127.0.0.1 login latchkey password " + token,
		`username=latchkey\npassword=` + token, `"latchkey", "` + token + `"`, "curl -u '" + token + ":' ",
		"1 h 59 min left"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q", want)
		}
	}
}

// TestTokenRows: the account page names every token and warns about those that expire soon.
func TestTokenRows(t *testing.T) {
	chrome := "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	for agent, want := range map[string]string{
		chrome: "Sign-in, Chrome on Linux", chrome + " Edg/140.0": "Sign-in, Edge on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1": "Sign-in, Safari on iPhone",
		"Mozilla/5.0 (Windows NT 10.0; rv:143.0) Gecko/20100101 Firefox/143.0":             "Sign-in, Firefox on Windows",
		"curl/8.5.0": "Sign-in, curl/8.5.0", "python-requests/2.31 x": "Sign-in, python-requests/2.31",
		"": "Sign-in, unknown client",
	} {
		if got := (templates.TokenRow{UserAgent: agent}).Name(); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
	html := render(t, pages()["account"])
	for _, want := range []string{"expires in 2 days", `value="7-2-0"`, "never used", "This session", "Copy it now"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q", want)
		}
	}
}
