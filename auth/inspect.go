package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"latchkey/models"
)

// Inspection describes a token.
type Inspection struct {
	Identity Identity     // zero unless a key of this server signed it
	Scope    string       // name
	User     models.User  // zero if the account was deleted
	Token    models.Token // zero if the token is not stored any more
	Refused  error        // why the token is rejected; nil if it is valid
}

// Inspect describes any text that may be a token. Why a token is rejected is in Inspection.Refused;
// the error is the store's.
func (a *Authority) Inspect(ctx context.Context, token string) (Inspection, error) {
	i, err := a.ring.decode(purposeToken, token)
	if err != nil {
		return Inspection{Refused: err}, nil //nolint:nilerr // a rejected token is a result
	}
	now := time.Now().Unix()
	in := Inspection{Identity: i, Scope: a.scopes.Name(i.Scope), Refused: i.check(now)}
	if in.Refused == nil && a.revoked.has(i.TokenID, now) {
		if in.Refused, err = a.revocationReason(ctx, i.TokenID); err != nil {
			return Inspection{}, err
		}
	}
	in.User, err = a.store.UserByID(ctx, i.UID)
	if errors.Is(err, models.ErrNotFound) {
		in.Refused = cmp.Or(in.Refused, errNoAccount)
		return in, nil
	}
	if err != nil {
		return Inspection{}, err
	}
	in.Token, err = a.store.TokenByID(ctx, i.TokenID)
	if errors.Is(err, models.ErrNotFound) {
		err = nil
	}
	return in, err
}

// revocationReason returns errRevoked with the time of the revocation and its reason.
func (a *Authority) revocationReason(ctx context.Context, id models.TokenID) (reason, err error) {
	at, text, err := a.store.RevocationReason(ctx, id)
	if errors.Is(err, models.ErrNotFound) {
		return errRevoked, nil
	}
	return fmt.Errorf("%w %s (%s)", errRevoked, stamp(at), text), err
}

// String returns the inspection as one sentence, without the token itself.
func (in Inspection) String() string {
	if in.Identity == (Identity{}) {
		return "Not accepted (" + in.Refused.Error() + ")."
	}
	i := in.Identity
	owner := "user " + strconv.FormatUint(uint64(i.UID), 10)
	if in.User.ID != 0 {
		owner = fmt.Sprintf("%s (%s, %s)", in.User.Account, owner, in.User.State)
	}
	verdict := "Valid"
	if in.Refused != nil {
		verdict = "Not accepted (" + in.Refused.Error() + ")"
	}
	name := "token " + i.TokenID.String()
	if in.Token.Label != "" {
		name = fmt.Sprintf("token %s %q", i.TokenID, in.Token.Label)
	}
	return fmt.Sprintf("%s: %s of %s, %s, %s, issued %s, expires %s.", verdict, name,
		owner, i.ClientType, in.Scope, stamp(i.TokenID.IssuedAt), stamp(i.ExpiresAt))
}

// MarshalJSON returns the inspection as a JSON object.
func (in Inspection) MarshalJSON() ([]byte, error) {
	data := map[string]any{"valid": in.Refused == nil}
	if in.Refused != nil {
		data["refused"] = in.Refused.Error()
	}
	if i := in.Identity; i != (Identity{}) {
		data["id"], data["uid"], data["scope"] = i.TokenID.String(), i.UID, in.Scope
		data["type"], data["account"] = i.ClientType, in.User.Account
		data["issued_at"], data["expires_at"] = i.TokenID.IssuedAt, i.ExpiresAt
	}
	if in.Token.ID != (models.TokenID{}) {
		data["kind"], data["label"] = in.Token.Kind.String(), in.Token.Label
	}
	return json.Marshal(data)
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
