package e2e_test

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A setting is one way to set a secret: it returns what was said.
type setting func(secret string) (said string, refused bool)

var (
	formSecretWrong = regexp.MustCompile(`(?s)id="(?:secret|new)-wrong">.*?</span>(.*?)</p>`)
	tokenInLink     = regexp.MustCompile(`token=([^"]+)`)
)

// TestPasswordStrength: with --secret-strength every way to set a secret refuses the same ones, says why and what to do
// and never repeats the secret.
func TestPasswordStrength(t *testing.T) {
	flags := append(slices.Clone(cheapHashes), "--secret-strength", "3", "--public-url", "http://login.fruitstand.example")
	s := start(t, t.TempDir(), flags...)
	ways := settings(t, s)
	first := start(t, t.TempDir(), flags...)
	setup := setupToken.FindStringSubmatch(first.out.String())[1]
	ways["setup"] = formSetting(t, first, "/setup", url.Values{"token": {setup}, "account": {"quincetree@example.com"},
		"nickname": {"Pomona"}}, "secret")
	for _, c := range []struct{ secret, want string }{
		{"dragon", "most used"}, {"P4ssword1", "most used"}, {"drowssap", "most used"},
		{"quincetree", "the account"}, {"Pomona2024", "the account"}, {"fruitstand!", "name of this site"},
		{"qwertzuiopü", "rows of keys"}, {"24.12.1987", "dates"}, {"zzzzzzzzzzzzzzzz", "repeats"},
		{"xkq84", "At least 6 characters"}, {"xkq84j", "too easily"},
	} {
		for way, set := range ways {
			said, refused := set(c.secret)
			if !refused || !strings.Contains(said, c.want) {
				t.Errorf("%s by %s: refused %v: %q, want %q", c.secret, way, refused, said, c.want)
			}
			if strings.Contains(said, c.secret) {
				t.Errorf("%s by %s: the answer repeats it: %q", c.secret, way, said)
			}
		}
	}
	for way, set := range ways {
		if said, refused := set("lantern vole drizzle"); refused {
			t.Errorf("a good one by %s: %q", way, said)
		}
	}
}

var setupToken = regexp.MustCompile(`/setup\?token=(\S+)`)

// formSetting sends a form and finds the sentence beside its field.
func formSetting(t *testing.T, s *server, path string, fields url.Values, field string, headers ...string) setting {
	return func(secret string) (string, bool) {
		t.Helper()
		fields.Set(field, secret)
		got := request(t, "POST", s.URL+path, fields.Encode(), append(headers, asForm)...)
		if got.Status != 422 {
			return strconv.Itoa(got.Status), got.Status != 303
		}
		said := formSecretWrong.FindStringSubmatch(got.Body)
		if said == nil {
			return "422 without a sentence", true
		}
		return html.UnescapeString(said[1]), true
	}
}

// apiSetting sends JSON; a refusal is 400.
func apiSetting(
	t *testing.T, s *server, method, path, field string, members map[string]any, headers ...string,
) setting {
	return func(secret string) (string, bool) {
		t.Helper()
		members[field] = secret
		got := request(t, method, s.URL+path, quoted(t, members), append(headers, asJSON)...)
		return got.Body, got.Status >= 400
	}
}

func commandSetting(t *testing.T, s *server, flags []string, args ...string) setting {
	return func(secret string) (string, bool) {
		t.Helper()
		_, said, code := latchkey(t, s.Dir, secret+"\n", append(append(args, "--secret-stdin"), flags...)...)
		return said, code != 0
	}
}

// settings are the ways but the first administrator's page, each with an account of its own. The command line does not
// know the site's name: it gets it as the nickname.
func settings(t *testing.T, s *server) map[string]setting {
	t.Helper()
	shared := []string{"--secret-strength", "3", "--argon2-memory", "7168", "--argon2-time", "1"}
	add := func(domain string) (account, token string) {
		account = "quincetree@" + domain
		mustRun(t, s.Dir, "six words\n", "user", "add", account, "--nickname", "Pomona Fruitstand", "--secret-stdin")
		return account, mustRun(t, s.Dir, "", "token", "issue", account)
	}
	_, token := add("change.example")
	_, cookie := add("page.example")
	passwd, _ := add("passwd.example")
	reset, _ := add("reset.example")
	link := request(t, "POST", s.URL+"/v1/user/"+idOf(t, s, reset)+"/secret", "", bearer(adminToken(t, s)))
	return map[string]setting{
		"register": apiSetting(t, s, "POST", "/v1/client/register", "secret",
			map[string]any{"account": "quincetree@api.example", "type": 100, "nickname": "Pomona"}),
		"register form": formSetting(t, s, "/register",
			url.Values{"account": {"quincetree@form.example"}, "nickname": {"Pomona"}}, "secret"),
		"change": apiSetting(t, s, "PUT", "/v1/user/secret", "new", map[string]any{"old": "six words"}, bearer(token)),
		"change form": formSetting(t, s, "/account/secret", url.Values{"old": {"six words"}}, "new",
			"Cookie: latchkey="+cookie),
		"reset": formSetting(t, s, "/reset",
			url.Values{"token": {tokenInLink.FindStringSubmatch(link.Body)[1]}}, "secret"),
		"user passwd": commandSetting(t, s, shared, "user", "passwd", passwd),
		"user add": commandSetting(t, s, shared, "user", "add", "quincetree@add.example", "--nickname",
			"Pomona Fruitstand"),
	}
}

// adminToken is a token of an administrator that it makes.
func adminToken(t *testing.T, s *server) string {
	t.Helper()
	mustRun(t, s.Dir, "six words\n", "user", "add", "root@example.com", "--nickname", "Root", "--admin", "--secret-stdin")
	return mustRun(t, s.Dir, "", "token", "issue", "root@example.com")
}
