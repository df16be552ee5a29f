package auth

import (
	"context"
	"errors"
	"strconv"
	"time"

	"latchkey/models"
)

// SetSecret replaces an account's secret and ends its tokens. Errors: models.Invalid,
// models.ErrNotFound, ErrBusy.
func (a *Authority) SetSecret(ctx context.Context, uid uint32, secret string) error {
	return a.setSecret(ctx, uid, newSecret{"secret", secret, ""}, models.UserUpdate{})
}

// ChangeSecret replaces the secret of someone who knows the old one, and ends the account's
// tokens. The site is the name of the host, which makes no good secret. Errors: models.Invalid,
// models.ErrNotFound, ErrBusy, a *Refusal of ErrTooMany.
func (a *Authority) ChangeSecret(
	ctx context.Context, uid uint32, old, secret, site string, problems models.Invalid,
) error {
	v := problems.Copy()
	if old == "" {
		v.Require("old")
	}
	if len(old) > MaxSecret {
		v.Add("old", msgOldWrong)
	}
	if err := a.checkSecretOf(ctx, uid, newSecret{"new", secret, site}, v); err != nil {
		return err
	}
	found, err := a.store.CredentialsByID(ctx, uid)
	if err != nil {
		return err
	}
	if err := a.checkOld(ctx, found, old); err != nil {
		return err
	}
	err = a.replaceSecret(ctx, uid, secret, models.UserUpdate{IfEpoch: &found.Epoch})
	if errors.Is(err, models.ErrChanged) { // the account changed meanwhile, and its tokens ended
		return errEnded
	}
	return err
}

// checkOld makes a try at the old secret; whoever makes it has a valid token.
func (a *Authority) checkOld(ctx context.Context, found models.Credentials, old string) error {
	l := Login{Account: found.User.Account, Secret: old, Devices: []Device{{uid: found.User.ID}}}
	err := a.attempt(ctx, l, found)
	if errors.Is(err, ErrWrongSecret) {
		return models.Invalid{"old": {msgOldWrong}}
	}
	return err
}

const msgOldWrong = "This is not your present secret."

// newSecret is a secret to be set, the field that it stands in, and the name of the site.
type newSecret struct{ field, text, site string }

// checkSecretOf checks a new secret of an account there is, and adds to what is wrong already.
// Errors: models.Invalid, models.ErrNotFound.
func (a *Authority) checkSecretOf(
	ctx context.Context, uid uint32, n newSecret, v models.Invalid,
) error {
	var user models.User
	if a.meter != nil {
		var err error
		if user, err = a.store.UserByID(ctx, uid); err != nil {
			return err
		}
	}
	a.checkNewSecret(v, n.field, n.text, user.Account, user.Nickname, n.site)
	return v.Err()
}

func (a *Authority) setSecret(
	ctx context.Context, uid uint32, n newSecret, up models.UserUpdate,
) error {
	if err := a.checkSecretOf(ctx, uid, n, models.Invalid{}); err != nil {
		return err
	}
	return a.replaceSecret(ctx, uid, n.text, up)
}

// replaceSecret replaces a secret by one that was checked.
func (a *Authority) replaceSecret(
	ctx context.Context, uid uint32, secret string, up models.UserUpdate,
) error {
	whose := origin{account: strconv.FormatUint(uint64(uid), 10)}
	hash, err := a.hasher.hash(ctx, whose, secret)
	if err != nil {
		return err
	}
	up.SecretHash, up.Reason = &hash, "secret changed"
	return a.update(ctx, uid, up)
}

// ResetTTL is how long a link to set a secret anew works.
const ResetTTL = 15 * time.Minute

// ResetToken makes the credential of a link by which a user's secret can be set anew, once, within
// ResetTTL. An earlier link of the user works no longer. Errors: models.ErrNotFound, also for a
// disabled user.
func (a *Authority) ResetToken(
	ctx context.Context, uid uint32,
) (token string, expiresAt int64, err error) {
	for {
		id, err := a.store.CreateReset(ctx, uid)
		if err != nil {
			return "", 0, err
		}
		token, err := a.signLink(purposeReset, models.UserScope, ResetTTL, id)
		if !errors.Is(err, errTick) {
			return token, id.IssuedAt + int64(ResetTTL/time.Second), err
		}
	}
}

// CheckReset says whose secret a reset token can set, without using it up. Errors:
// ErrTokenInvalid, ErrTokenExpired.
func (a *Authority) CheckReset(ctx context.Context, token string) (models.User, error) {
	i, err := a.checkLink(purposeReset, token)
	if err != nil {
		return models.User{}, err
	}
	there, err := a.store.HasReset(ctx, i.TokenID)
	if err != nil {
		return models.User{}, err
	}
	if !there {
		return models.User{}, errSpent
	}
	user, err := a.store.UserByID(ctx, i.UID)
	if errors.Is(err, models.ErrNotFound) {
		err = errSpent
	}
	return user, err
}

// Reset sets the secret anew and uses the token up. The site is the name of the host, which makes
// no good secret. Errors: those of CheckReset, models.Invalid, ErrBusy.
func (a *Authority) Reset(ctx context.Context, token, secret, site string) error {
	if _, err := a.CheckReset(ctx, token); err != nil {
		return err
	}
	i, err := a.checkLink(purposeReset, token)
	if err != nil {
		return err
	}
	err = a.setSecret(ctx, i.UID, newSecret{"secret", secret, site},
		models.UserUpdate{Reset: &i.TokenID})
	if errors.Is(err, models.ErrChanged) {
		return errSpent
	}
	return err
}

// SetNickname gives an account another nickname. Its tokens stay. Errors: models.Invalid,
// models.ErrNotFound.
func (a *Authority) SetNickname(
	ctx context.Context, uid uint32, nickname string, problems models.Invalid,
) error {
	v := problems.Copy()
	models.CheckNickname(v, nickname)
	if err := v.Err(); err != nil {
		return err
	}
	return a.update(ctx, uid, models.UserUpdate{Nickname: &nickname})
}

// SetRole gives an account another role and ends its tokens. Errors: models.ErrNotFound.
func (a *Authority) SetRole(ctx context.Context, uid uint32, role models.Role) error {
	return a.update(ctx, uid, models.UserUpdate{Role: &role, Reason: "role changed"})
}

// SetState disables or enables an account and ends its tokens. Errors: models.ErrNotFound.
func (a *Authority) SetState(ctx context.Context, uid uint32, state models.State) error {
	return a.update(ctx, uid, models.UserUpdate{State: &state, Reason: stateReason(state)})
}

func stateReason(state models.State) string {
	if state == models.Disabled {
		return "account disabled"
	}
	return "account enabled"
}

// Change is what an administrator changes of an account; nil fields stay.
type Change struct {
	Nickname *string
	Role     *models.Role
	State    *models.State
	Problems models.Invalid // what was wrong already when the input was read
}

// Change changes an account in one step. A change of role or state ends its tokens. Errors:
// models.Invalid, models.ErrNotFound, models.ErrLastAdministrator.
func (a *Authority) Change(ctx context.Context, uid uint32, c Change) error {
	v := c.Problems.Copy()
	up := models.UserUpdate{Nickname: c.Nickname}
	if c.Nickname != nil {
		models.CheckNickname(v, *c.Nickname)
	}
	if err := v.Err(); err != nil {
		return err
	}
	user, err := a.store.UserByID(ctx, uid)
	if err != nil {
		return err
	}
	if c.Role != nil && *c.Role != user.Role {
		up.Role, up.Reason, up.KeepLast = c.Role, "role changed", true
	}
	if c.State != nil && *c.State != user.State {
		up.State, up.Reason, up.KeepLast = c.State, stateReason(*c.State), true
	}
	return a.update(ctx, uid, up)
}

func (a *Authority) update(ctx context.Context, uid uint32, up models.UserUpdate) error {
	ending, err := a.store.UpdateUser(ctx, uid, up)
	if err == nil {
		a.ended.add(ending)
	}
	return err
}

// Delete deletes an account and ends its tokens; with keepLast not the last active administrator.
// Errors: models.ErrNotFound, models.ErrLastAdministrator.
func (a *Authority) Delete(ctx context.Context, uid uint32, keepLast bool) error {
	ending, err := a.store.DeleteUser(ctx, uid, keepLast)
	if err == nil {
		a.ended.add(ending)
	}
	return err
}
