package auth

import (
	"context"
	"errors"
	"time"

	"latchkey/models"
)

// Inspection is everything that can be said of a token.
type Inspection struct {
	Identity Identity    // zero unless a key of ours signed it
	User     models.User // zero when the account is gone
	Refused  error       // why it is refused; nil when it is valid
}

// Inspect explains any text that may be a token. Its error is a fault of the store; what speaks
// against the token is in Inspection.Refused.
func (a *Authority) Inspect(ctx context.Context, token string) (Inspection, error) {
	i, err := a.ring.decode(purposeToken, token)
	if err != nil {
		return Inspection{Refused: err}, nil //nolint:nilerr // a bad token is an answer, not a fault
	}
	in := Inspection{Identity: i, Refused: i.check(time.Now().Unix())}
	in.User, err = a.store.UserByID(ctx, i.UID)
	if errors.Is(err, models.ErrNotFound) {
		if in.Refused == nil {
			in.Refused = errNoAccount
		}
		return in, nil
	}
	if err == nil && in.Refused == nil && a.ended.has(i.TokenID) {
		in.Refused = errEnded
	}
	return in, err
}
