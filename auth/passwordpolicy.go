package auth

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"latchkey/auth/strength"
	"latchkey/models"
)

// MaxStrength is the highest minimum score that can be set for new passwords; see package strength.
const MaxStrength = strength.MaxScore

const msgPasswordLong = "At most %d bytes." //nolint:gosec // a sentence

// passwordPolicy is what new passwords must fulfil. A password must be Unicode text with a length
// between minLength characters and MaxPassword bytes, and reach the minimum strength. Nothing else
// is required, and the password is used exactly as typed.
type passwordPolicy struct {
	minLength int
	minScore  int
	meter     *strength.Meter // nil if no minimum strength is set
}

func newPasswordPolicy(o Options) passwordPolicy {
	p := passwordPolicy{minLength: o.MinPassword, minScore: o.PasswordStrength}
	if p.minScore > 0 {
		p.meter = strength.New()
	}
	return p
}

// check adds to v what is wrong with a new password, under the name of its field. The guesser knows
// about: the account, the nickname and the site.
func (p passwordPolicy) check(v models.ValidationError, field, password string, about ...string) {
	switch {
	case password == "":
		v.Require(field)
	case !utf8.ValidString(password) || strings.ContainsRune(password, utf8.RuneError):
		v.Add(field, "The password is not valid Unicode text.")
	case utf8.RuneCountInString(password) < p.minLength:
		v.Add(field, fmt.Sprintf("At least %d characters.", p.minLength))
	case len(password) > MaxPassword:
		v.Add(field, fmt.Sprintf(msgPasswordLong, MaxPassword))
	case p.meter != nil:
		if r := p.meter.Measure(password, about...); r.Score < p.minScore {
			v.Add(field, r.Advice)
		}
	}
}
