package templates

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// anyUser is the user name beside a token in the password slot. The server ignores it.
const anyUser = "latchkey"

// recipe is one way to use the token.
type recipe struct {
	ID, Name string
	Why      string
	Steps    []step // for programs with windows
	Lines    string // the text to copy
}

// step is one instruction: the words, then the part in bold.
type step struct{ Words, Bold string }

// server is the address of this server in the spellings that clients need.
type server struct {
	Base, Scheme string
	Host, Name   string // with the port, without it
}

// parseBase splits a base URL. It returns errUnsafe for anything but a plain one.
func parseBase(base string) (server, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil {
		return server{}, fmt.Errorf("base URL: %w", errUnsafe)
	}
	s := server{
		Base:   u.Scheme + "://" + u.Host,
		Scheme: u.Scheme,
		Host:   u.Host,
		Name:   u.Hostname(),
	}
	web := u.Scheme == "http" || u.Scheme == "https"
	if !web || !plainHost.MatchString(u.Host) || u.String() != s.Base {
		return server{}, fmt.Errorf("base URL: %w", errUnsafe)
	}
	return s, nil
}

// newRecipes returns the recipes with the token filled in. All but the last put it in the password
// slot.
func newRecipes(base, token string, expires time.Time) ([]recipe, error) {
	s, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if !plainToken.MatchString(token) {
		return nil, fmt.Errorf("token: %w", errUnsafe)
	}
	return []recipe{
		{ID: "curl", Name: "curl", Lines: curlLine(anyUser+":"+token, s),
			Why: "The token is the password. Any user name works."},
		{ID: "netrc", Name: ".netrc",
			Why: "One line in ~/.netrc serves curl -n, git, Python and more. It keeps the token out of " +
				"the process list.",
			Lines: "machine " + s.Name + " login " + anyUser + " password " + token},
		gitRecipe(s, token, expires),
		{ID: "python", Name: "Python requests", Why: "The same pair, as the auth argument.",
			Lines: "import requests\n\nresponse = requests.get(\n    \"" + s.Base + "/v1/user\",\n" +
				"    auth=(\"" + anyUser + "\", \"" + token + "\"),\n)\nprint(response.json())"},
		postmanRecipe(token),
		{ID: "username", Name: "Token as the user name", Lines: curlLine(token+":", s),
			Why: "The older form, with an empty password. It works too, but proxies may log user names."},
	}, nil
}

// curlLine returns a curl command that reads the user with the given credentials.
func curlLine(credentials string, s server) string {
	return "curl -u '" + credentials + "' " + s.Base + "/v1/user"
}

// gitRecipe stores the token in git's credential helper, so that no URL in a repository's
// configuration contains it. Git 2.41 and later drop it when it expires.
func gitRecipe(s server, token string, expires time.Time) recipe {
	lines := fmt.Sprintf(`printf 'protocol=%s\nhost=%s\nusername=%s\npassword=%s\n`+
		`password_expiry_utc=%d\n' | git credential approve`,
		s.Scheme, s.Host, anyUser, token, expires.Unix())
	return recipe{
		ID:    "git",
		Name:  "git",
		Lines: lines,
		Why: "Git's credential helper stores the token, so that no URL contains it. If you have no " +
			"helper yet, run “git config --global credential.helper cache” first.",
	}
}

// postmanRecipe says what to click. The text to copy is the token alone.
func postmanRecipe(token string) recipe {
	return recipe{ID: "postman", Name: "Postman", Lines: token,
		Why: "Set it once on the collection. Every request inherits it.",
		Steps: []step{
			{"Open the tab", "Authorization"},
			{"Set the type to", "Basic Auth"},
			{"Set the user name to", anyUser},
			{"Paste the token below as the", "password"},
		}}
}
