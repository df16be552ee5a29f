package templates

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// soonSeconds is how long before its end a token is said to end soon.
const soonSeconds = 300

// Account and token stand in lines that people paste into a shell, so only plain text gets there.
var (
	plainToken = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
	plainHost  = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:.]+\](:[0-9]+)?$`)
)

// errUnsafe means that a token or a base URL holds characters that must not stand in a shell
// line.
var errUnsafe = errors.New("not fit to stand in a command line")

// Account is the page of who is signed in: the person, the token, and ready-made lines that use
// it. The answer that carries it must not be stored (Cache-Control: no-store).
type Account struct {
	Chrome
	UID         uint32
	AccountName string
	Kind        string // "E-mail" or "Mobile number"
	Scope       string // "UserScope" or "AdminScope"
	Role        string
	Token       string        // empty when the server holds none to show
	IssuedAt    time.Time     // of the token
	ExpiresAt   time.Time     // of the token
	Now         time.Time     // the server's clock; time left is counted from it
	BaseURL     string        // https://host[:port], as clients reach this server
	Notice      string        // such as "The token has ended."; may be empty
	Made        *CreatedToken // a token for a program that was made just now
	Tokens      []TokenRow
	More        bool // whether there are more tokens than Tokens
	Service     ServiceForm
	Name        NameForm
	Secret      PasswordForm
}

// accountBody is what the account page is given.
type accountBody struct {
	Account
	Alive    bool // whether the token works at Now
	Soon     bool // whether it ends soon
	Left     string
	Lifetime int64 // seconds
	Rest     int64 // seconds
	SoonAt   int   // seconds
	Recipes  []recipe
	Made     *createdTokenBody
	Ending   []TokenRow // of programs, soon

	Program, Rename, Resecret foldedForm
}

// Render writes the page. Nothing is written when it fails, as it does for a token or a base URL
// that could break out of the command lines it is put in.
func (p Account) Render(w io.Writer) error {
	recipes, err := newRecipes(p.BaseURL, p.Token, p.ExpiresAt)
	if err != nil {
		return fmt.Errorf("rendering the account page: %w", err)
	}
	made, err := newCreatedToken(p.Made, p.BaseURL)
	if err != nil {
		return fmt.Errorf("rendering the account page: %w", err)
	}
	rest := p.ExpiresAt.Sub(p.Now)
	body := accountBody{
		Account:  p,
		Alive:    p.Token != "" && rest > 0,
		Soon:     rest <= soonSeconds*time.Second,
		Left:     remaining(rest),
		Lifetime: int64(p.ExpiresAt.Sub(p.IssuedAt) / time.Second),
		Rest:     int64(rest / time.Second),
		SoonAt:   soonSeconds,
		Recipes:  recipes,
		Made:     made,
		Ending:   expiringSoon(p.Tokens, p.Now),
		Program:  p.Service.form(),
		Rename:   p.Name.form(),
		Resecret: p.Secret.form(),
	}
	title := "Your account"
	for _, f := range []foldedForm{body.Program, body.Rename, body.Resecret} {
		title = f.title(title)
	}
	return render(w, "account", view{Chrome: p.Chrome, Title: title, Body: body})
}

// Time is a moment as the page shows it, for people and for programs.
func (accountBody) Time(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf( //nolint:gosec // digits and letters of a time
		`<time datetime="%s">%s</time>`,
		t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04 UTC")))
}

// recipe is one way to use the token.
type recipe struct {
	ID, Name string
	Why      string
	Steps    []step // what to press, for programs with windows
	Lines    string // what to copy
}

// step is one thing to do. What is set apart follows the words.
type step struct{ Words, Apart string }

// server is where clients reach this server, in the spellings that they want.
type server struct {
	Base, Scheme string
	Host, Name   string // with the port, without it
}

// parseBase takes a base URL apart, or returns errUnsafe.
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

// newRecipes fills the token into a line for each client.
func newRecipes(base, token string, ends time.Time) ([]recipe, error) {
	s, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if !plainToken.MatchString(token) {
		return nil, fmt.Errorf("token: %w", errUnsafe)
	}
	user := s.Base + "/v1/user"
	return []recipe{
		{ID: "curl", Name: "curl", Why: "The colon ends the user name: the password stays empty.",
			Lines: "curl -u '" + token + ":' " + user},
		{
			ID:   "netrc",
			Name: ".netrc",
			Why: "One line in ~/.netrc serves curl -n, git, Python and more, and keeps the token out of " +
				"the list of processes. The password x is ignored; some clients need one that is not empty.",
			Lines: "machine " + s.Name + " login " + token + " password x",
		},
		gitRecipe(s, token, ends),
		{
			ID:   "python",
			Name: "Python requests",
			Why:  "The password is an empty string.",
			Lines: "import requests\n\nanswer = requests.get(\n    \"" + user + "\",\n    auth=(\"" +
				token + "\", \"\"),\n)\nprint(answer.json())",
		},
		postmanRecipe(token),
		{
			ID:    "logged",
			Name:  "Behind a proxy that logs user names",
			Why:   "Put the token in the password slot, which logs leave out. Any user name will do.",
			Lines: "curl -u 'anyname:" + token + "' " + user,
		},
	}, nil
}

// gitRecipe hands the token to git's own keeper of credentials: git asks it after a 401, and no
// URL in a repository's configuration holds the token. Git 2.41 and later forget it when it ends.
func gitRecipe(s server, token string, ends time.Time) recipe {
	lines := fmt.Sprintf(`printf 'protocol=%s\nhost=%s\nusername=%s\npassword=x\n`+
		`password_expiry_utc=%d\n' | git credential approve`, s.Scheme, s.Host, token, ends.Unix())
	return recipe{
		ID:    "git",
		Name:  "git",
		Lines: lines,
		Why: "Git's credential helper keeps the token, so no URL holds it. If none is set up yet, run " +
			"“git config --global credential.helper cache” first.",
	}
}

// postmanRecipe says what to press; what is copied is the token alone.
func postmanRecipe(token string) recipe {
	return recipe{ID: "postman", Name: "Postman", Lines: token,
		Why: "Set it once on the collection and every request inherits it.",
		Steps: []step{
			{"Open the tab", "Authorization"},
			{"As the type, choose", "Basic Auth"},
			{"As the user name, paste the token below. Leave the password", "empty"},
		}}
}
