package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

// String is the inspection as one sentence, without the token itself.
func (in Inspection) String() string {
	if in.Identity == (Identity{}) {
		return "Refused: " + in.Refused.Error() + "."
	}
	i := in.Identity
	owner := "user " + strconv.FormatUint(uint64(i.UID), 10)
	if in.User.ID != 0 {
		owner = fmt.Sprintf("%s (%s, %s)", in.User.Account, owner, in.User.State)
	}
	verdict := "Valid"
	if in.Refused != nil {
		verdict = "Refused, " + in.Refused.Error()
	}
	return fmt.Sprintf("%s: token %s of %s, %s, %s, issued %s, expires %s.", verdict, i.TokenID,
		owner, i.ClientType, i.Scope, stamp(i.TokenID.IssuedAt), stamp(i.ExpiresAt))
}

// MarshalJSON is the inspection as data.
func (in Inspection) MarshalJSON() ([]byte, error) {
	data := map[string]any{"valid": in.Refused == nil}
	if in.Refused != nil {
		data["refused"] = in.Refused.Error()
	}
	if i := in.Identity; i != (Identity{}) {
		data["id"], data["uid"], data["scope"] = i.TokenID.String(), i.UID, i.Scope.String()
		data["type"], data["account"] = i.ClientType, in.User.Account
		data["issued_at"], data["expires_at"] = i.TokenID.IssuedAt, i.ExpiresAt
	}
	return json.Marshal(data)
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
