package auth

import (
	"context"
	"errors"
	"latchkey/models"
	"time"
)

// SetupTTL is how long a setup link works.
const SetupTTL = 15 * time.Minute

// SetupToken makes the credential of a link by which the first administrator is made, valid for
// SetupTTL and only as long as there is none.
func (a *Authority) SetupToken() (string, error) {
	for {
		token, err := a.signLink(purposeSetup, models.AdminScope, SetupTTL,
			models.TokenID{IssuedAt: time.Now().Unix()})
		if !errors.Is(err, errTick) {
			return token, err
		}
	}
}

// signLink signs the credential of a link, which has the form of a token but another purpose.
func (a *Authority) signLink(
	purpose string, scope models.Scope, ttl time.Duration, id models.TokenID,
) (string, error) {
	token, _, err := a.ring.encode(purpose, Identity{UID: id.UID, ClientType: models.EMail,
		Scope: scope, TokenID: id, ExpiresAt: id.IssuedAt + int64(ttl/time.Second)})
	return token, err
}

// checkLink authenticates the credential of a link and judges its times. Errors: wire.ErrTokenInvalid,
// wire.ErrTokenExpired.
func (a *Authority) checkLink(purpose, token string) (Identity, error) {
	i, err := a.ring.decode(purpose, token)
	if err != nil {
		return Identity{}, err
	}
	return i, i.check(time.Now().Unix())
}

// CheckSetup says whether a setup token works now. Errors: wire.ErrTokenInvalid, wire.ErrTokenExpired,
// models.ErrSetupDone.
func (a *Authority) CheckSetup(ctx context.Context, token string) error {
	i, err := a.checkLink(purposeSetup, token)
	if err != nil {
		return err
	}
	done, err := a.store.HasAdministrator(ctx)
	if err != nil {
		return err
	}
	if done {
		return models.ErrSetupDone
	}
	spent, err := a.store.SetupUsed(ctx, i.TokenID.IssuedAt)
	if err == nil && spent {
		err = errSpent
	}
	return err
}

// Setup makes the first administrator. Errors: those of CheckSetup and Register.
func (a *Authority) Setup(
	ctx context.Context,
	token string,
	r Registration,
) (models.User, error) {
	if err := a.CheckSetup(ctx, token); err != nil {
		return models.User{}, err
	}
	n, err := a.newUser(ctx, r)
	if err != nil {
		return models.User{}, err
	}
	user, err := a.store.CreateFirstAdministrator(ctx, n)
	return user, takenAsValidation(err)
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
// wire.ErrTokenInvalid, wire.ErrTokenExpired.
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
