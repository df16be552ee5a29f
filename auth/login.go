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
	Devices           []Device // that the request shows
}

func (l Login) origin() origin {
	return origin{networkOf(l.Client.Address), models.AccountKey(l.Account)}
}

// Login checks a secret and issues a token. It costs one hash whether or not the account exists.
// Errors: models.ValidationError, ErrClientType, ErrBusy, a *Refusal of ErrUnknownAccount, ErrWrongPassword
// (also for a disabled account) or ErrTooManyAttempts.
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

// Check reports what is wrong with the input, without an attempt to log in. Errors:
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

// checkClientType notes an unknown type in v and returns ErrClientType for a known one without a
// provider.
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

// credentials reads the account of a login; those of an unknown one are empty.
func (a *Authority) credentials(ctx context.Context, l Login) (models.Credentials, error) {
	found, err := a.store.Credentials(ctx, l.Account)
	if errors.Is(err, models.ErrNotFound) || err == nil && found.User.ClientType != l.ClientType {
		return models.Credentials{}, nil
	}
	return found, err
}

// checkPassword makes a try at an account, after reserving it. Both waits are one.
func (a *Authority) checkPassword(ctx context.Context, l Login, found models.Credentials) error {
	patient, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	try, err := a.limiter.reserve(patient, a.limitKeys(l, found.User.ID))
	if err != nil {
		return err
	}
	defer try.release()
	right, err := a.hasher.verify(patient, l.origin(), l.Password, found.PasswordHash)
	if err != nil {
		return err
	}
	return try.decide(ctx, found, right)
}

// limitKeys is what a login tries at: a device that has logged in to the account before has an
// allowance of its own, so that no stranger can use it up.
func (a *Authority) limitKeys(l Login, uid uint32) []limitKey {
	for _, device := range l.Devices {
		if device.uid == uid && uid != 0 {
			return []limitKey{a.limiter.deviceKey(device)}
		}
	}
	return a.limiter.keysFor(l.Client.Address, l.Account)
}

// decide ends a try by the verdict on its secret. Errors: a *Refusal, and the store's.
func (t *reservation) decide(ctx context.Context, found models.Credentials, right bool) error {
	switch {
	case found.PasswordHash == "":
		return t.fail(ctx, ErrUnknownAccount)
	case !right || found.User.State != models.Active:
		return t.fail(ctx, ErrWrongPassword)
	}
	return t.succeed(ctx)
}

// rehash replaces a hash made with other parameters, unless the secret was changed meanwhile.
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
