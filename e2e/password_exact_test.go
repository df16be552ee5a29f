package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// typed are secrets that something might alter on the way, each with one that must stay another.
var typed = []struct{ name, secret, other string }{
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

// TestPasswordsExactlyAsTyped: whichever way a secret comes in, it is the same one on every other way, and the one that
// it might be mistaken for is not it.
func TestPasswordsExactlyAsTyped(t *testing.T) {
	s := start(t, t.TempDir(), append(cheapHashes, "--bridge")...)
	registrations := map[string]func(account, secret string) reply{
		"api": func(account, secret string) reply {
			return request(t, "POST", s.URL+"/v1/client/register", quoted(t, map[string]any{"account": account,
				"secret": secret, "type": 100, "nickname": "Ann"}), asJSON)
		},
		"form": func(account, secret string) reply {
			return request(t, "POST", s.URL+"/register", url.Values{"account": {account}, "secret": {secret},
				"nickname": {"Ann"}}.Encode(), asForm)
		},
	}
	accepted := func(account, secret string) map[string]bool {
		json := request(t, "POST", s.URL+"/v1/token",
			quoted(t, map[string]any{"account": account, "secret": secret, "type": 100}), asJSON)
		form := request(t, "POST", s.URL+"/login", url.Values{"account": {account}, "secret": {secret}}.Encode(), asForm)
		login := request(t, "POST", s.URL+"/v1/token", "", basic(account, secret))
		bridge := request(t, "GET", s.URL+"/v1/verify", "", basic(account, secret))
		return map[string]bool{"api": json.Status == 201, "form": form.Status == 303,
			"basic": login.Status == 201, "bridge": bridge.Status == 200}
	}
	for n, c := range typed {
		for way, register := range registrations {
			account := fmt.Sprintf("ann%d.%s@example.com", n, way)
			if got := register(account, c.secret); got.Status != 201 && got.Status != 303 {
				t.Errorf("%s: registered by %s: %d %s", c.name, way, got.Status, got.Body)
				continue
			}
			for by, ok := range accepted(account, c.secret) {
				if !ok {
					t.Errorf("%s: registered by %s, refused by %s", c.name, way, by)
				}
			}
			for by, ok := range accepted(account, c.other) {
				if ok {
					t.Errorf("%s: registered by %s, another secret is accepted by %s", c.name, way, by)
				}
			}
		}
	}
}

// TestPasswordsMustBeUnicode: what is no Unicode text would be altered on some way, and is refused on all.
func TestPasswordsMustBeUnicode(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	const member = `{"account":"a@example.com","type":100,"nickname":"Ann","secret":"`
	for name, body := range map[string]string{
		"half a pair": member + `abcdef\ud800"}`, "a replacement": member + "abcdef\ufffd" + `"}`,
		"no UTF-8": member + "abcdef\xff" + `"}`, "a NUL as it is": member + "abc\x00def" + `"}`,
	} {
		if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 400 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	got := request(t, "POST", s.URL+"/register", "account=a%40example.com&nickname=Ann&secret=abcdef%ff", asForm)
	if got.Status != 422 || !strings.Contains(got.Body, "not valid Unicode text") {
		t.Errorf("a form: %d", got.Status)
	}
}
