package auth

import (
	"context"
	"errors"
	"time"

	"latchkey/models"
)

// Registration is a request for a new account.
type Registration struct {
	Account, Password, Nickname string
	ClientType                  models.ClientType
	Client                      Client
	Site                        string                 // name of the host, which makes no good secret; may be ""
	Problems                    models.ValidationError // what was wrong already when the input was read
}

// Register makes an account of the given role. Errors: models.ValidationError with every problem at once,
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
	return user, takenAsValidation(err)
}

// newUser checks a registration and hashes its secret.
func (a *Authority) newUser(ctx context.Context, r Registration) (models.NewUser, error) {
	v := r.Problems.Copy()
	if err := checkClientType(v, r.ClientType); err != nil {
		return models.NewUser{}, err
	}
	models.CheckAccount(v, r.ClientType, r.Account)
	models.CheckNickname(v, r.Nickname)
	a.checkNewPassword(v, "secret", r.Password, r.Account, r.Nickname, r.Site)
	if !v.Has("account") {
		_, err := a.store.Credentials(ctx, r.Account)
		switch {
		case err == nil:
			models.AddTaken(v)
		case !errors.Is(err, models.ErrNotFound):
			return models.NewUser{}, err
		}
	}
	if err := v.Err(); err != nil {
		return models.NewUser{}, err
	}
	from := origin{networkOf(r.Client.Address), models.AccountKey(r.Account)}
	hash, err := a.hasher.hash(ctx, from, r.Password)
	return models.NewUser{Account: r.Account, ClientType: r.ClientType, Nickname: r.Nickname,
		PasswordHash: hash}, err
}

func takenAsValidation(err error) error {
	if !errors.Is(err, models.ErrAccountTaken) {
		return err
	}
	v := models.ValidationError{}
	models.AddTaken(v)
	return v
}

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

// checkLink authenticates the credential of a link and judges its times. Errors: ErrTokenInvalid,
// ErrTokenExpired.
func (a *Authority) checkLink(purpose, token string) (Identity, error) {
	i, err := a.ring.decode(purpose, token)
	if err != nil {
		return Identity{}, err
	}
	return i, i.check(time.Now().Unix())
}

// CheckSetup says whether a setup token works now. Errors: ErrTokenInvalid, ErrTokenExpired,
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
