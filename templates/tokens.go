package templates

import (
	"fmt"
	"strings"
	"time"
)

// TokenRow is one of the tokens that the account page lists.
type TokenRow struct {
	ID          string
	Label       string // of a program's token; empty for a sign-in
	Scope       string
	UserAgent   string // of the client it was issued to
	Address     string // of the client it was issued to
	IssuedAt    time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time // zero: never
	Current     bool      // the one of this session
	ExpiresSoon bool      // a program's token that must be replaced before long
}

// Name is what the token is called on the page.
func (r TokenRow) Name() string {
	if r.Label != "" {
		return r.Label
	}
	return "Sign-in, " + agentName(r.UserAgent)
}

// Used says whether it was ever used.
func (r TokenRow) Used() bool { return !r.UsedAt.IsZero() }

// Days is how many days are left, as words.
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

// expiringSoon are those that the page begins with: not one that was made a moment ago for a week.
func expiringSoon(rows []TokenRow, now time.Time) (soon []TokenRow) {
	for _, row := range rows {
		if row.ExpiresSoon && row.ExpiresAt.Sub(now) < now.Sub(row.IssuedAt) {
			soon = append(soon, row)
		}
	}
	return soon
}

// agentName is a user agent in few words: browser and system, or the first name it gives itself.
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

// CreatedToken is a token for a program that was made just now. It is shown this once.
type CreatedToken struct{ Token, Label string }

type createdTokenBody struct {
	CreatedToken
	Line string // ready-made, for curl
}

// newCreatedToken returns nil for nil, and errUnsafe for what must not stand in a command line.
func newCreatedToken(m *CreatedToken, base string) (*createdTokenBody, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // nothing was made
	}
	s, err := parseBase(base)
	if err != nil {
		return nil, err
	}
	if !plainToken.MatchString(m.Token) {
		return nil, fmt.Errorf("token: %w", errUnsafe)
	}
	return &createdTokenBody{*m, "curl -u '" + m.Token + ":' " + s.Base + "/v1/user"}, nil
}

// foldedForm is a form that is opened when it is wanted, or when it comes back with errors.
type foldedForm struct {
	form
	Summary, Lead string
}

// ServiceForm makes a token for a program. It posts label, scope and lifetime (seconds) to
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
			Hint: "By which you know it again, such as the program's name."},
		input{Name: "scope", Label: "Scope", Options: p.Scopes},
		input{Name: "lifetime", Label: "Lifetime", Options: p.Lifetimes})
	f.Button, f.Busy = "Make a token", "Making a token…"
	return foldedForm{f.embedded(), "Make a token for a program",
		"For a backup, a build, a scraper: it lives longer, and you can end it by itself."}
}

// NameForm changes the nickname. It posts nickname to /account/nickname.
type NameForm struct {
	Nickname string
	Errors   FieldErrors
}

func (p NameForm) form() foldedForm {
	f := newForm("/account/nickname", p.Errors, nicknameInput(p.Nickname))
	f.Button, f.Busy = "Change the nickname", "Changing…"
	return foldedForm{f.embedded(), "Change your nickname", ""}
}

// PasswordForm changes the secret. It posts old and new to /account/secret.
type PasswordForm struct {
	Rule   PasswordRule
	Errors FieldErrors
}

func (p PasswordForm) form() foldedForm {
	f := newForm("/account/secret", p.Errors,
		passwordInput("old", "Present secret", "current-password", ""),
		newPasswordInput("new", p.Rule))
	f.Button, f.Busy = "Change the secret", "Changing…"
	return foldedForm{f.embedded(), "Change your secret", "Every token of yours ends, this one too."}
}
