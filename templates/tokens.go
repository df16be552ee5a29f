package templates

import (
	"fmt"
	"strings"
	"time"
)

// TokenRow is one token in the account page's list.
type TokenRow struct {
	ID          string
	Label       string // of a service token; empty for a sign-in
	Scope       string
	UserAgent   string // of the client that the token was issued to
	Address     string // of the client that the token was issued to
	IssuedAt    time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time // zero: never
	Current     bool      // whether it is the session's token
	ExpiresSoon bool      // whether a service token needs a replacement soon
}

// Name returns what the page calls the token.
func (r TokenRow) Name() string {
	if r.Label != "" {
		return r.Label
	}
	return "Sign-in, " + agentName(r.UserAgent)
}

// Used reports whether the token was ever used.
func (r TokenRow) Used() bool { return !r.UsedAt.IsZero() }

// Days returns when the token expires, in words.
func (r TokenRow) Days(now time.Time) string {
	switch days := int(r.ExpiresAt.Sub(now).Hours() / 24); days {
	case 0:
		return "within a day"
	case 1:
		return "in 1 day"
	default:
		return fmt.Sprintf("in %d days", days)
	}
}

// expiringSoon returns the tokens that the page warns about. It leaves out those in the first half
// of their life, so that a new token for a week does not cause a warning.
func expiringSoon(rows []TokenRow, now time.Time) (soon []TokenRow) {
	for _, row := range rows {
		if row.ExpiresSoon && row.ExpiresAt.Sub(now) < now.Sub(row.IssuedAt) {
			soon = append(soon, row)
		}
	}
	return soon
}

// agentName shortens a user agent: to browser and system, or to its first product name.
func agentName(agent string) string {
	find := func(marks [][2]string) string {
		for _, mark := range marks {
			if strings.Contains(agent, mark[0]) {
				return mark[1]
			}
		}
		return ""
	}
	name := find([][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	if name == "" {
		name, _, _ = strings.Cut(agent, " ")
		if name == "" {
			return "unknown client"
		}
		return name
	}
	system := find([][2]string{{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"},
		{"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}})
	if system == "" {
		return name
	}
	return name + " on " + system
}

// CreatedToken is a service token that was created by this request. The page shows it once.
type CreatedToken struct{ Token, Label string }

type createdTokenBody struct {
	CreatedToken
	Line string // a curl command
}

// newCreatedToken returns nil for nil, and errUnsafe for a token or base URL that must not appear
// in a shell command.
func newCreatedToken(m *CreatedToken, base string) (*createdTokenBody, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // no token was created
	}
	s, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if !plainToken.MatchString(m.Token) {
		return nil, fmt.Errorf("token: %w", errUnsafe)
	}
	return &createdTokenBody{*m, curlLine(anyUser+":"+m.Token, s)}, nil
}

// foldedForm is a form inside a closed fold, which is open if the form has errors.
type foldedForm struct {
	form
	Summary, Lead string
}

// ServiceForm creates a service token. It posts label, scope and lifetime (in seconds) to
// /account/tokens.
type ServiceForm struct {
	Label     string // as typed before, or empty
	Scopes    []Option
	Lifetimes []Option // values in seconds
	Errors    FieldErrors
}

func (p ServiceForm) form() foldedForm {
	f := newForm("/account/tokens", p.Errors,
		input{Name: "label", Label: "Label", Value: p.Label, Autocomplete: "off",
			Hint: "To recognise it later, such as the program's name."},
		input{Name: "scope", Label: "Scope", Options: p.Scopes},
		input{Name: "lifetime", Label: "Lifetime", Options: p.Lifetimes})
	f.Button, f.Busy = "Create token", "Creating the token…"
	return foldedForm{f.embedded(), "Create a service token",
		"For a backup, a build or a scraper. It lives longer than a sign-in, and you can revoke it " +
			"on its own."}
}

// NameForm changes the nickname. It posts nickname to /account/nickname.
type NameForm struct {
	Nickname string
	Errors   FieldErrors
}

func (p NameForm) form() foldedForm {
	f := newForm("/account/nickname", p.Errors, nicknameInput(p.Nickname))
	f.Button, f.Busy = "Change nickname", "Changing…"
	return foldedForm{f.embedded(), "Change your nickname", ""}
}

// PasswordForm changes the password. It posts old and new to /account/secret.
type PasswordForm struct {
	Rule   PasswordRule
	Errors FieldErrors
}

func (p PasswordForm) form() foldedForm {
	f := newForm("/account/secret", p.Errors,
		passwordInput("old", "Current password", "current-password", ""),
		newPasswordInput("new", "New password", p.Rule))
	f.Button, f.Busy = "Change password", "Changing…"
	return foldedForm{f.embedded(), "Change your password",
		"This revokes all your tokens, including this one."}
}
