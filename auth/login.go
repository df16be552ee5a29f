package auth

import (
	"context"
	"errors"
	"fmt"

	"latchkey/models"
)

// Login is an attempt to log in.
type Login struct {
	Account, Password string
	ClientType        models.ClientType
	Client            Client
	Devices           []Device // known devices that the request proves to be; see Authority.Devices
}

func (l Login) origin() origin {
	return origin{networksOf(l.Client.Address), models.AccountKey(l.Account)}
}

// Check returns what is wrong with the input, without an attempt to log in. Errors:
// models.ValidationError, ErrClientType.
func (l Login) Check() error {
	v := models.ValidationError{}
	if err := checkClientType(v, l.ClientType); err != nil {
		return err
	}
	if l.Account == "" {
		v.Require("account")
	}
	if l.Password == "" {
		v.Require("secret")
	}
	if len(l.Password) > MaxPassword {
		v.Add("secret", fmt.Sprintf(msgPasswordLong, MaxPassword))
	}
	return v.Err()
}

// checkClientType adds an unknown type to v. It returns ErrClientType for a known type that cannot
// log in here.
func checkClientType(v models.ValidationError, t models.ClientType) error {
	switch t {
	case models.EMail, models.Mobile:
		return nil
	case models.MiniProgram, models.OfficialAccount:
		return ErrClientType
	}
	v.Add("type", fmt.Sprintf("%d is not a valid ClientTypeEnum", t))
	return nil
}

// Login checks a password and issues a token. Its cost does not reveal whether the account exists.
// Errors: models.ValidationError, ErrClientType, ErrBusy, and a *LoginError of ErrUnknownAccount,
// ErrWrongPassword (also for a disabled account) or ErrTooManyAttempts.
func (a *Authority) Login(ctx context.Context, l Login) (Issued, error) {
	if err := l.Check(); err != nil {
		return Issued{}, err
	}
	found, err := a.credentials(ctx, l)
	if err != nil {
		return Issued{}, err
	}
	if err := a.checkPassword(ctx, l, found); err != nil {
		return Issued{}, err
	}
	if err := a.rehash(ctx, found, l); err != nil {
		return Issued{}, err
	}
	issued, err := a.issue(ctx, a.newToken(found, l.Client))
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, ErrWrongPassword
	}
	return issued, err
}

// credentials reads the account of a login. They are zero for an unknown account.
func (a *Authority) credentials(ctx context.Context, l Login) (models.Credentials, error) {
	found, err := a.store.Credentials(ctx, l.Account)
	if errors.Is(err, models.ErrNotFound) || err == nil && found.User.ClientType != l.ClientType {
		return models.Credentials{}, nil
	}
	return found, err
}

// checkPassword reserves an attempt and compares the password. It waits for both, the reservation
// and the hash, at most maxWait.
func (a *Authority) checkPassword(ctx context.Context, l Login, found models.Credentials) error {
	limited, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	attempt, err := a.limiter.reserve(limited, a.limitKeys(l, found.User.ID))
	if err != nil {
		return rejectLogin(found.User, err)
	}
	defer attempt.release()
	right, err := a.hasher.verify(limited, l.origin(), l.Password, found)
	if err != nil {
		return err
	}
	return rejectLogin(found.User, attempt.decide(ctx, found, right))
}

// limitKeys returns the keys under which a login is limited. A device that has logged in to the
// account before has its own limit, so that a guesser cannot lock out the user.
func (a *Authority) limitKeys(l Login, uid uint32) []limitKey {
	for _, device := range l.Devices {
		if device.uid == uid && uid != 0 {
			return []limitKey{a.limiter.deviceKey(device)}
		}
	}
	return a.limiter.keysFor(l.Client.Address, l.Account)
}

// rehash replaces a hash that was made with other parameters, unless the password has changed.
func (a *Authority) rehash(ctx context.Context, c models.Credentials, l Login) error {
	if !a.hasher.outdated(c.PasswordHash) {
		return nil
	}
	hash, err := a.hasher.hash(ctx, l.origin(), l.Password)
	if err != nil {
		return err
	}
	return a.store.ReplaceHash(ctx, c.User.ID, c.PasswordHash, hash)
}
