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

// passwordSetter is one way to set a password. It returns the response.
type passwordSetter func(password string) (response string, rejected bool)

var (
	passwordError = regexp.MustCompile(`(?s)id="(?:secret|new)-wrong">.*?</span>(.*?)</p>`)
	tokenInLink   = regexp.MustCompile(`token=([^"]+)`)
)

// TestPasswordStrength sets weak passwords in every way. With --secret-strength every way rejects
// them, says why, and does not repeat the password.
func TestPasswordStrength(t *testing.T) {
	t.Parallel()
	flags := append(slices.Clone(cheapHashes), "--secret-strength", "3", "--registration", "open", "--public-url",
		"http://login.fruitstand.example")
	s := start(t, t.TempDir(), flags...)
	setters := passwordSetters(t, s)
	first := start(t, t.TempDir(), flags...)
	setup := setupToken.FindStringSubmatch(first.out.String())[1]
	setters["setup"] = setByForm(t, first, "/setup", url.Values{"token": {setup},
		"account": {"quincetree@example.com"}, "nickname": {"Pomona"}}, "secret")
	for _, c := range []struct{ password, want string }{
		{"dragon", "most common"}, {"P4ssword1", "most common"}, {"drowssap", "most common"},
		{"quincetree", "the account"}, {"Pomona2024", "the account"}, {"fruitstand!",
			"name of this site"},
		{"qwertzuiopü", "keyboard rows"}, {"24.12.1987", "dates"}, {"zzzzzzzzzzzzzzzz", "repeats"},
		{"xkq84", "At least 6 characters"}, {"xkq84j", "too easy"},
	} {
		for name, set := range setters {
			response, rejected := set(c.password)
			if !rejected || !strings.Contains(response, c.want) {
				t.Errorf("%s: %s: rejected %v: %q, want %q", name, c.password, rejected, response, c.want)
			}
			if strings.Contains(response, c.password) {
				t.Errorf("%s: the response to %s repeats it: %q", name, c.password, response)
			}
		}
	}
	for name, set := range setters {
		if response, rejected := set("lantern vole drizzle"); rejected {
			t.Errorf("%s: a strong password is rejected: %q", name, response)
		}
	}
}

var setupToken = regexp.MustCompile(`/setup\?token=(\S+)`)

// setByForm sends a form. The response is the error beside the field.
func setByForm(
	t *testing.T, s *server, path string, fields url.Values, field string, headers ...string,
) passwordSetter {
	return func(password string) (string, bool) {
		t.Helper()
		fields.Set(field, password)
		got := request(t, "POST", s.URL+path, fields.Encode(), append(headers, asForm)...)
		if got.Status != 422 {
			return strconv.Itoa(got.Status), got.Status != 303
		}
		message := passwordError.FindStringSubmatch(got.Body)
		if message == nil {
			return "422 without an error at the field", true
		}
		return html.UnescapeString(message[1]), true
	}
}

// setByAPI sends JSON.
func setByAPI(
	t *testing.T, s *server, method, path, field string, members map[string]any, headers ...string,
) passwordSetter {
	return func(password string) (string, bool) {
		t.Helper()
		members[field] = password
		got := request(t, method, s.URL+path, quoted(t, members), append(headers, asJSON)...)
		return got.Body, got.Status >= 400
	}
}

// setByCommand runs a command. The response is its error without the account, whose name is one of the
// weak passwords.
func setByCommand(t *testing.T, s *server, flags []string, args ...string) passwordSetter {
	return func(password string) (string, bool) {
		t.Helper()
		args := append(append(args, "--secret-stdin"), flags...)
		_, stderr, code := latchkey(t, s.Dir, password+"\n", args...)
		for _, arg := range args {
			if strings.Contains(arg, "@") {
				stderr = strings.ReplaceAll(stderr, arg, "")
			}
		}
		return stderr, code != 0
	}
}

// passwordSetters returns every way to set a password except the setup page, each with its own
// account. The command line does not know the site's name, so its nickname contains it.
func passwordSetters(t *testing.T, s *server) map[string]passwordSetter {
	t.Helper()
	shared := []string{"--secret-strength", "3", "--argon2-memory", "7168", "--argon2-time", "1"}
	add := func(domain string) (account, token string) {
		account = "quincetree@" + domain
		mustRun(t, s.Dir, "six words\n", "user", "add", account, "--nickname", "Pomona Fruitstand",
			"--secret-stdin")
		return account, mustRun(t, s.Dir, "", "token", "issue", account)
	}
	_, token := add("change.example")
	_, cookie := add("page.example")
	passwd, _ := add("passwd.example")
	reset, _ := add("reset.example")
	link := request(t, "POST", s.URL+"/v1/user/"+idOf(t, s, reset)+"/secret", "",
		bearer(administrator(t, s)))
	return map[string]passwordSetter{
		"register": setByAPI(t, s, "POST", "/v1/client/register", "secret",
			map[string]any{"account": "quincetree@api.example", "type": 100, "nickname": "Pomona"}),
		"register form": setByForm(t, s, "/register",
			url.Values{"account": {"quincetree@form.example"}, "nickname": {"Pomona"}}, "secret"),
		"change": setByAPI(t, s, "PUT", "/v1/user/secret", "new", map[string]any{"old": "six words"},
			bearer(token)),
		"change form": setByForm(t, s, "/account/secret", url.Values{"old": {"six words"}}, "new",
			"Cookie: latchkey="+cookie),
		"reset": setByForm(t, s, "/reset",
			url.Values{"token": {tokenInLink.FindStringSubmatch(link.Body)[1]}}, "secret"),
		"user passwd": setByCommand(t, s, shared, "user", "passwd", passwd),
		"user add": setByCommand(t, s, shared, "user", "add", "quincetree@add.example", "--nickname",
			"Pomona Fruitstand"),
	}
}
