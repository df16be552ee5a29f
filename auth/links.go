package auth

import (
	"context"
	"errors"
	"strconv"
	"time"

	"latchkey/models"
)

// SetPassword replaces an account's secret and ends its tokens. Errors: models.ValidationError,
// models.ErrNotFound, ErrBusy.
func (a *Authority) SetPassword(ctx context.Context, uid uint32, secret string) error {
	return a.setPassword(ctx, uid, newPassword{"secret", secret, ""}, models.UserUpdate{})
}

// ChangePassword replaces the secret of someone who knows the old one, and ends the account's
// tokens. The site is the name of the host, which makes no good secret. Errors: models.ValidationError,
// models.ErrNotFound, ErrBusy, a *Refusal of ErrTooManyAttempts.
func (a *Authority) ChangePassword(
	ctx context.Context, uid uint32, old, secret, site string, problems models.ValidationError,
) error {
	v := problems.Copy()
	if old == "" {
		v.Require("old")
	}
	if len(old) > MaxPassword {
		v.Add("old", msgOldPasswordWrong)
	}
	if err := a.checkPasswordOf(ctx, uid, newPassword{"new", secret, site}, v); err != nil {
		return err
	}
	found, err := a.store.CredentialsByID(ctx, uid)
	if err != nil {
		return err
	}
	if err := a.checkOldPassword(ctx, found, old); err != nil {
		return err
	}
	err = a.replacePassword(ctx, uid, secret, models.UserUpdate{IfEpoch: &found.Epoch})
	if errors.Is(err, models.ErrChanged) { // the account changed meanwhile, and its tokens ended
		return errRevoked
	}
	return err
}

// checkOldPassword makes a try at the old secret; whoever makes it has a valid token.
func (a *Authority) checkOldPassword(ctx context.Context, found models.Credentials, old string) error {
	l := Login{Account: found.User.Account, Password: old, Devices: []Device{{uid: found.User.ID}}}
	err := a.checkPassword(ctx, l, found)
	if errors.Is(err, ErrWrongPassword) {
		return models.ValidationError{"old": {msgOldPasswordWrong}}
	}
	return err
}

const msgOldPasswordWrong = "This is not your present secret."

// newPassword is a secret to be set, the field that it stands in, and the name of the site.
type newPassword struct{ field, text, site string }

// checkPasswordOf checks a new secret of an account there is, and adds to what is wrong already.
// Errors: models.ValidationError, models.ErrNotFound.
func (a *Authority) checkPasswordOf(
	ctx context.Context, uid uint32, n newPassword, v models.ValidationError,
) error {
	var user models.User
	if a.meter != nil {
		var err error
		if user, err = a.store.UserByID(ctx, uid); err != nil {
			return err
		}
	}
	a.checkNewPassword(v, n.field, n.text, user.Account, user.Nickname, n.site)
	return v.Err()
}

func (a *Authority) setPassword(
	ctx context.Context, uid uint32, n newPassword, up models.UserUpdate,
) error {
	if err := a.checkPasswordOf(ctx, uid, n, models.ValidationError{}); err != nil {
		return err
	}
	return a.replacePassword(ctx, uid, n.text, up)
}

// replacePassword replaces a secret by one that was checked.
func (a *Authority) replacePassword(
	ctx context.Context, uid uint32, secret string, up models.UserUpdate,
) error {
	whose := origin{account: strconv.FormatUint(uint64(uid), 10)}
	hash, err := a.hasher.hash(ctx, whose, secret)
	if err != nil {
		return err
	}
	up.PasswordHash, up.Reason = &hash, "secret changed"
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
// no good secret. Errors: those of CheckReset, models.ValidationError, ErrBusy.
func (a *Authority) Reset(ctx context.Context, token, secret, site string) error {
	if _, err := a.CheckReset(ctx, token); err != nil {
		return err
	}
	i, err := a.checkLink(purposeReset, token)
	if err != nil {
		return err
	}
	err = a.setPassword(ctx, i.UID, newPassword{"secret", secret, site},
		models.UserUpdate{Reset: &i.TokenID})
	if errors.Is(err, models.ErrChanged) {
		return errSpent
	}
	return err
}

// SetNickname gives an account another nickname. Its tokens stay. Errors: models.ValidationError,
// models.ErrNotFound.
func (a *Authority) SetNickname(
	ctx context.Context, uid uint32, nickname string, problems models.ValidationError,
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
	Problems models.ValidationError // what was wrong already when the input was read
}

// Change changes an account in one step. A change of role or state ends its tokens. Errors:
// models.ValidationError, models.ErrNotFound, models.ErrLastAdministrator.
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
		a.revoked.add(ending)
	}
	return err
}

// Delete deletes an account and ends its tokens; with keepLast not the last active administrator.
// Errors: models.ErrNotFound, models.ErrLastAdministrator.
func (a *Authority) Delete(ctx context.Context, uid uint32, keepLast bool) error {
	ending, err := a.store.DeleteUser(ctx, uid, keepLast)
	if err == nil {
		a.revoked.add(ending)
	}
	return err
}
