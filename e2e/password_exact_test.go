package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// typed are passwords that a form or parser might alter, each with another that it might become.
var typed = []struct{ name, password, other string }{
	{"leading spaces", "  secret1", "secret1"},
	{"trailing space", "secret1 ", "secret1"},
	{"spaces alone", "      ", "       "},
	{"no-break space", "\u00a0secret1", " secret1"},
	{"tab and line ends", "a\tb\r\nc\nd", "a\tb\nc\nd"},
	{"nul", "abc\x00def", "abc"},
	{"capitals", "Secret One", "secret one"},
	{"signs of forms", "a+b%20c&d=e;", "a b c&d=e;"},
	{"signs of JSON", `a"b\u0041/`, `a"bA/`},
	{"colons", "::a:b::", "a:b::"},
	{"composed", "privé de clé", "prive\u0301 de cle\u0301"},
	{"full width", "ｓｅｃｒｅｔ１", "secret1"},
	{"ligature", "ﬁnesse", "finesse"},
	{"capital sharp s", "STRAẞE", "STRASSE"},
	{"right to left", "סוד\u200fגדול", "סודגדול"},
	{"direction override", "abc\u202edef", "abcdef"},
	{"family", "👨‍👩‍👧‍👦", "👨👩👧👦"},
	{"flag and skin", "🏳️‍🌈👍🏽👍", "🏳️‍🌈👍👍🏽"},
	{"last character", "\U0010fffdabcde", "\U0010fffcabcde"},
	{"byte order mark", "\ufeffabcdef", "abcdef"},
	{"1,024 bytes", strings.Repeat("€", 341) + "a", strings.Repeat("€", 341)},
	{"beyond a block", strings.Repeat("x", 1023) + "a", strings.Repeat("x", 1023) + "b"},
}

// TestPasswordsExactlyAsTyped registers passwords by the API and by the form. Every way to log in
// accepts exactly the password, and rejects the one that it might be altered to.
func TestPasswordsExactlyAsTyped(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--bridge")...)
	registrations := map[string]func(account, password string) reply{
		"API": func(account, password string) reply {
			body := map[string]any{"account": account, "secret": password, "type": 100, "nickname": "Ann"}
			return register(t, s.URL+"/v1/client/register", quoted(t, body), asJSON)
		},
		"form": func(account, password string) reply {
			body := url.Values{"account": {account}, "secret": {password}, "nickname": {"Ann"}}
			return register(t, s.URL+"/register", body.Encode(), asForm)
		},
	}
	accepted := func(account, password string) map[string]bool {
		json := request(t, "POST", s.URL+"/v1/token",
			quoted(t, map[string]any{"account": account, "secret": password, "type": 100}), asJSON)
		body := url.Values{"account": {account}, "secret": {password}}
		form := request(t, "POST", s.URL+"/login", body.Encode(), asForm)
		login := request(t, "POST", s.URL+"/v1/token", "", basic(account, password))
		bridge := request(t, "GET", s.URL+"/v1/verify", "", basic(account, password))
		return map[string]bool{"API": json.Status == 201, "form": form.Status == 303,
			"Basic": login.Status == 201, "bridge": bridge.Status == 200}
	}
	for n, c := range typed {
		for way, send := range registrations {
			account := fmt.Sprintf("ann%d.%s@example.com", n, way)
			if got := send(account, c.password); got.Status != 201 && got.Status != 303 {
				t.Errorf("%s: registration by %s: status %d: %s", c.name, way, got.Status, got.Body)
				continue
			}
			for login, ok := range accepted(account, c.password) {
				if !ok {
					t.Errorf("%s: registered by %s, rejected by %s", c.name, way, login)
				}
			}
			for login, ok := range accepted(account, c.other) {
				if ok {
					t.Errorf("%s: registered by %s, another password is accepted by %s", c.name, way, login)
				}
			}
		}
	}
}

// TestPasswordsMustBeUnicode registers passwords that are not Unicode text. The API and the form
// reject them, because some clients would alter them.
func TestPasswordsMustBeUnicode(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	const member = `{"account":"a@example.com","type":100,"nickname":"Ann","secret":"`
	for name, body := range map[string]string{
		"half a surrogate pair":   member + `abcdef\ud800"}`,
		"a replacement character": member + "abcdef\ufffd" + `"}`,
		"invalid UTF-8":           member + "abcdef\xff" + `"}`,
		"an unescaped NUL":        member + "abc\x00def" + `"}`,
	} {
		checkStatus(t, name, request(t, "POST", s.URL+"/v1/client/register", body, asJSON), 400)
	}
	got := request(t, "POST", s.URL+"/register",
		"account=a%40example.com&nickname=Ann&secret=abcdef%ff", asForm)
	if got.Status != 422 || !strings.Contains(got.Body, "not valid Unicode text") {
		t.Errorf("the form: status %d, want 422 with \"not valid Unicode text\"", got.Status)
	}
}
