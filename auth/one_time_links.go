package auth

import (
	"context"
	"errors"
	"time"

	"latchkey/models"
)

// SetupTTL is the lifetime of a setup link.
const SetupTTL = 15 * time.Minute

// SetupToken returns the token of a link that creates the first administrator. It is valid for
// SetupTTL, and only until an administrator exists.
func (a *Authority) SetupToken() (string, error) {
	for {
		token, err := a.signLink(purposeSetup, models.AdminScope, SetupTTL,
			models.TokenID{IssuedAt: time.Now().Unix()})
		if !errors.Is(err, errTick) {
			return token, err
		}
	}
}

// signLink signs the token of a link. It has the form of a token, but another purpose.
func (a *Authority) signLink(
	purpose string, scope models.Scope, ttl time.Duration, id models.TokenID,
) (string, error) {
	token, _, err := a.ring.encode(purpose, Identity{UID: id.UID, ClientType: models.EMail,
		Scope: scope, TokenID: id, ExpiresAt: id.IssuedAt + int64(ttl/time.Second)})
	return token, err
}

// checkLink verifies the signature and the times of a link's token. Errors: wire.ErrTokenInvalid,
// wire.ErrTokenExpired.
func (a *Authority) checkLink(purpose, token string) (Identity, error) {
	i, err := a.ring.decode(purpose, token)
	if err != nil {
		return Identity{}, err
	}
	return i, i.check(time.Now().Unix())
}

// CheckSetup returns nil if a setup token is valid now. Errors: wire.ErrTokenInvalid,
// wire.ErrTokenExpired, models.ErrSetupDone.
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
	used, err := a.store.SetupUsed(ctx, i.TokenID.IssuedAt)
	if err == nil && used {
		err = errLinkUsed
	}
	return err
}

// Setup creates the first administrator. Errors: those of CheckSetup and Register.
func (a *Authority) Setup(ctx context.Context, token string, r Registration) (models.User, error) {
	if err := a.CheckSetup(ctx, token); err != nil {
		return models.User{}, err
	}
	if err := a.CheckRegistration(r); err != nil {
		return models.User{}, err
	}
	n, err := a.newUser(ctx, r)
	if err != nil {
		return models.User{}, takenAsValidation(err)
	}
	user, err := a.store.CreateFirstAdministrator(ctx, n)
	return user, takenAsValidation(err)
}

// ResetTTL is the lifetime of a password reset link.
const ResetTTL = 15 * time.Minute

// ResetToken returns the token of a password reset link and its expiry in Unix seconds. It is valid
// once, for ResetTTL, and replaces earlier links of the user. Errors: models.ErrNotFound, also for
// a disabled user.
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

// CheckReset returns the user of a valid reset token, without using it up. Errors:
// wire.ErrTokenInvalid, wire.ErrTokenExpired.
func (a *Authority) CheckReset(ctx context.Context, token string) (models.User, error) {
	i, err := a.checkLink(purposeReset, token)
	if err != nil {
		return models.User{}, err
	}
	exists, err := a.store.HasReset(ctx, i.TokenID)
	if err != nil {
		return models.User{}, err
	}
	if !exists {
		return models.User{}, errLinkUsed
	}
	user, err := a.store.UserByID(ctx, i.UID)
	if errors.Is(err, models.ErrNotFound) {
		err = errLinkUsed
	}
	return user, err
}

// Reset sets a new password and uses the token up. site is the host name of the server, which
// guessers know. Errors: those of CheckReset, models.ValidationError, ErrBusy.
func (a *Authority) Reset(ctx context.Context, token, password, site string) error {
	if _, err := a.CheckReset(ctx, token); err != nil {
		return err
	}
	i, err := a.checkLink(purposeReset, token)
	if err != nil {
		return err
	}
	err = a.setPassword(ctx, i.UID, newPassword{"secret", password, site},
		models.UserUpdate{Reset: &i.TokenID})
	if errors.Is(err, models.ErrChanged) {
		return errLinkUsed
	}
	return err
}
