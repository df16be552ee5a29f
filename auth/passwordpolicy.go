package auth

import (
	"fmt"

	"latchkey/auth/strength"
	"latchkey/models"
)

// MaxStrength is the most that can be asked of a new secret; see package strength.
const MaxStrength = strength.MaxScore

// newMeter is what judges new secrets; nil when nothing is asked of them.
func newMeter(least int) (*strength.Meter, error) {
	if least < 0 || least > MaxStrength {
		return nil, fmt.Errorf("the least strength of a secret is 0 to %d", MaxStrength)
	}
	if least == 0 {
		return nil, nil //nolint:nilnil // nothing to judge by
	}
	return strength.New(), nil
}

// checkNewPassword notes in v, under the name of its field, what is wrong with a new secret: what
// CheckPassword says and, where the operator asks for strength, how it would be guessed by somebody
// who knows about its account, nickname and site. It comes before any hashing and costs a few
// percent of it.
func (a *Authority) checkNewPassword(
	v models.ValidationError, field, secret string, about ...string,
) {
	CheckPassword(v, field, secret, a.options.MinPassword)
	if a.meter == nil || v.Has(field) {
		return
	}
	if r := a.meter.Measure(secret, about...); r.Score < a.options.PasswordStrength {
		v.Add(field, r.Advice)
	}
}
