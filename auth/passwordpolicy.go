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

// newMeter returns the strength meter, or nil if no minimum is set.
func newMeter(minScore int) (*strength.Meter, error) {
	if minScore < 0 || minScore > MaxStrength {
		return nil, fmt.Errorf("the minimum strength of a password must be from 0 to %d, not %d",
			MaxStrength, minScore)
	}
	if minScore == 0 {
		return nil, nil //nolint:nilnil // documented above
	}
	return strength.New(), nil
}

// checkNewPassword adds to v what is wrong with a new password, under the name of its field. A
// password must be Unicode text with a length between Options.MinPassword characters and
// MaxPassword bytes. It must reach Options.PasswordStrength for a guesser who knows about: the
// account, the nickname and the site. Nothing else is required, and the password is used exactly as
// typed.
func (a *Authority) checkNewPassword(
	v models.ValidationError, field, password string, about ...string,
) {
	switch {
	case password == "":
		v.Require(field)
	case !utf8.ValidString(password) || strings.ContainsRune(password, utf8.RuneError):
		v.Add(field, "The password is not valid Unicode text.")
	case utf8.RuneCountInString(password) < a.options.MinPassword:
		v.Add(field, fmt.Sprintf("At least %d characters.", a.options.MinPassword))
	case len(password) > MaxPassword:
		v.Add(field, fmt.Sprintf(msgPasswordLong, MaxPassword))
	case a.meter != nil:
		if r := a.meter.Measure(password, about...); r.Score < a.options.PasswordStrength {
			v.Add(field, r.Advice)
		}
	}
}
