package auth

import (
	"context"
	"errors"
	"time"

	"latchkey/models"
)

// Registration is a request for a new account.
type Registration struct {
	Account, Secret, Nickname string
	ClientType                models.ClientType
	Problems                  models.Invalid // what was wrong already when the input was read
}

// Register makes an account of the given role. Errors: models.Invalid with every problem at once,
// ErrClientType, ErrBusy.
func (a *Authority) Register(
	ctx context.Context, r Registration, role models.Role,
) (models.User, error) {
	n, err := a.newUser(ctx, r)
	if err != nil {
		return models.User{}, err
	}
	n.Role = role
	user, err := a.store.CreateUser(ctx, n)
	return user, takenIsInvalid(err)
}

// newUser checks a registration and hashes its secret.
func (a *Authority) newUser(ctx context.Context, r Registration) (models.NewUser, error) {
	v := r.Problems.Copy()
	if err := checkClientType(v, r.ClientType); err != nil {
		return models.NewUser{}, err
	}
	models.CheckAccount(v, r.ClientType, r.Account)
	models.CheckNickname(v, r.Nickname)
	CheckSecret(v, r.Secret, a.options.MinSecret)
	if !v.Has("account") {
		_, err := a.store.Credentials(ctx, r.Account)
		switch {
		case err == nil:
			models.NoteTaken(v)
		case !errors.Is(err, models.ErrNotFound):
			return models.NewUser{}, err
		}
	}
	if err := v.Err(); err != nil {
		return models.NewUser{}, err
	}
	hash, err := a.hasher.Hash(ctx, r.Secret)
	return models.NewUser{Account: r.Account, ClientType: r.ClientType, Nickname: r.Nickname,
		SecretHash: hash}, err
}

func takenIsInvalid(err error) error {
	if !errors.Is(err, models.ErrAccountTaken) {
		return err
	}
	v := models.Invalid{}
	models.NoteTaken(v)
	return v
}

// SetupTTL is how long a setup link works.
const SetupTTL = 15 * time.Minute

// SetupToken makes the credential of a link by which the first administrator is made, valid for
// SetupTTL and only as long as there is none.
func (a *Authority) SetupToken() (string, error) {
	for {
		issued := time.Now().Unix()
		token, err := a.ring.encode(
			purposeSetup,
			Identity{
				ClientType: models.EMail,
				Scope:      models.AdminScope,
				TokenID: models.TokenID{
					IssuedAt: issued,
				},
				ExpiresAt: issued + int64(SetupTTL/time.Second),
			},
		)
		if !errors.Is(err, errTick) {
			return token, err
		}
	}
}

// CheckSetup says whether a setup token works now. Errors: ErrTokenInvalid, ErrTokenExpired,
// models.ErrSetupDone.
func (a *Authority) CheckSetup(ctx context.Context, token string) error {
	i, err := a.ring.decode(purposeSetup, token)
	if err != nil {
		return err
	}
	if err := i.check(time.Now().Unix()); err != nil {
		return err
	}
	done, err := a.store.HasAdministrator(ctx)
	if err == nil && done {
		err = models.ErrSetupDone
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
	return user, takenIsInvalid(err)
}

// SetSecret replaces an account's secret and ends its tokens. Errors: models.Invalid,
// models.ErrNotFound, ErrBusy.
func (a *Authority) SetSecret(ctx context.Context, uid uint32, secret string) error {
	v := models.Invalid{}
	CheckSecret(v, secret, a.options.MinSecret)
	if err := v.Err(); err != nil {
		return err
	}
	hash, err := a.hasher.Hash(ctx, secret)
	if err != nil {
		return err
	}
	return a.update(ctx, uid, models.UserUpdate{SecretHash: &hash, Reason: "secret changed"})
}

// SetRole gives an account another role and ends its tokens. Errors: models.ErrNotFound.
func (a *Authority) SetRole(ctx context.Context, uid uint32, role models.Role) error {
	return a.update(ctx, uid, models.UserUpdate{Role: &role, Reason: "role changed"})
}

// SetState disables or enables an account and ends its tokens. Errors: models.ErrNotFound.
func (a *Authority) SetState(ctx context.Context, uid uint32, state models.State) error {
	reason := "account enabled"
	if state == models.Disabled {
		reason = "account disabled"
	}
	return a.update(ctx, uid, models.UserUpdate{State: &state, Reason: reason})
}

func (a *Authority) update(ctx context.Context, uid uint32, up models.UserUpdate) error {
	ending, err := a.store.UpdateUser(ctx, uid, up)
	if err == nil {
		a.ended.add(ending)
	}
	return err
}

// Delete deletes an account and ends its tokens. Errors: models.ErrNotFound.
func (a *Authority) Delete(ctx context.Context, uid uint32) error {
	ending, err := a.store.DeleteUser(ctx, uid)
	if err == nil {
		a.ended.add(ending)
	}
	return err
}
