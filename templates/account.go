package templates

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"time"
)

// soonSeconds is how long before its expiry the page says that the token expires soon.
const soonSeconds = 300

// Token and base URL appear in commands that people paste into a shell, so they must be plain.
var (
	plainToken = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
	plainHost  = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?$|^\[[0-9A-Fa-f:.]+\](:[0-9]+)?$`)
)

// errUnsafe means that a token or a base URL contains characters that must not appear in a shell
// command.
var errUnsafe = errors.New("unsafe in a command line")

// Account is the page of the user who is signed in: the account, its tokens, and commands that use
// the session's token. Its response must not be stored (Cache-Control: no-store).
type Account struct {
	Chrome
	UID          uint32
	AccountName  string
	AccountLabel string // "E-mail" or "Mobile number"
	Scope        string // "UserScope" or "AdminScope"
	Role         string
	Token        string // the session's; empty if the server has none to show
	IssuedAt     time.Time
	ExpiresAt    time.Time
	Now          time.Time     // the server's clock; the time left counts from it
	BaseURL      string        // https://host[:port], as clients reach this server
	Notice       string        // such as "Token revoked."; may be empty
	Created      *CreatedToken // a service token that this request created, or nil
	Tokens       []TokenRow
	More         bool // whether the account has more tokens than Tokens
	Service      ServiceForm
	Name         NameForm
	Password     PasswordForm
}

// accountBody is the data of the account page's "main".
type accountBody struct {
	Account
	Alive     bool // whether the token is valid at Now
	Soon      bool // whether it expires soon
	Remaining string
	Lifetime  int64 // in seconds
	Rest      int64 // in seconds
	SoonAt    int   // in seconds
	Recipes   []recipe
	Created   *createdTokenBody
	Expiring  []TokenRow // service tokens to warn about

	ServiceFold, NameFold, PasswordFold foldedForm
}

// Render writes the page. It writes nothing if it fails, which includes a token or a base URL that
// could break out of the commands on the page.
func (p Account) Render(w io.Writer) error {
	recipes, err := newRecipes(p.BaseURL, p.Token, p.ExpiresAt)
	if err != nil {
		return fmt.Errorf("rendering the account page: %w", err)
	}
	created, err := newCreatedToken(p.Created, p.BaseURL)
	if err != nil {
		return fmt.Errorf("rendering the account page: %w", err)
	}
	rest := p.ExpiresAt.Sub(p.Now)
	body := accountBody{
		Account:      p,
		Alive:        p.Token != "" && rest > 0,
		Soon:         rest <= soonSeconds*time.Second,
		Remaining:    remaining(rest),
		Lifetime:     int64(p.ExpiresAt.Sub(p.IssuedAt) / time.Second),
		Rest:         int64(rest / time.Second),
		SoonAt:       soonSeconds,
		Recipes:      recipes,
		Created:      created,
		Expiring:     expiringSoon(p.Tokens, p.Now),
		ServiceFold:  p.Service.form(),
		NameFold:     p.Name.form(),
		PasswordFold: p.Password.form(),
	}
	title := "Your account"
	for _, f := range []foldedForm{body.ServiceFold, body.NameFold, body.PasswordFold} {
		title = f.title(title)
	}
	return render(w, "account", view{Chrome: p.Chrome, Title: title, Body: body})
}

// Time returns a time element that people and programs can read.
func (accountBody) Time(t time.Time) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf( //nolint:gosec // digits and letters of a time
		`<time datetime="%s">%s</time>`,
		t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04 UTC")))
}
