package auth

import (
	"context"
	"errors"
	"strconv"

	"latchkey/models"
)

// Registration is a request for a new account.
type Registration struct {
	Account, Password, Nickname string
	ClientType                  models.ClientType
	Client                      Client
	Site                        string // host name of the server, which guessers know; may be ""
	Pending                     bool   // the account waits for an administrator to approve it
}

// Register creates an account with a role. Only if nothing else is wrong, it says that the account
// is taken. This and a success count as registrations of the client's network. Errors:
// models.ValidationError with all problems at once, ErrClientType, ErrBusy, and a *LoginError of
// ErrTooManyRegistrations.
func (a *Authority) Register(
	ctx context.Context, r Registration, role models.Role,
) (user models.User, err error) {
	if err := a.CheckRegistration(r); err != nil {
		return models.User{}, err
	}
	attempt, err := a.reserveRegistration(ctx, r)
	if err != nil {
		return models.User{}, err
	}
	defer attempt.release()
	n, err := a.newUser(ctx, r)
	if err == nil {
		n.Role = role
		user, err = a.store.CreateUser(ctx, n)
	}
	if err != nil && !errors.Is(err, models.ErrAccountTaken) {
		return models.User{}, err
	}
	if _, err := attempt.count(ctx); err != nil {
		return models.User{}, err
	}
	return user, takenAsValidation(err)
}

// CheckRegistration returns what is wrong with the input, whether or not the account is taken.
// Errors: models.ValidationError, ErrClientType.
func (a *Authority) CheckRegistration(r Registration) error { return r.check(a.policy) }

// CheckFields is CheckRegistration before a store exists. Errors: models.ValidationError,
// ErrClientType.
func (r Registration) CheckFields(o Options) error {
	return r.check(newPasswordPolicy(o.withDefaults()))
}

func (r Registration) check(policy passwordPolicy) error {
	v := models.ValidationError{}
	if err := checkClientType(v, r.ClientType); err != nil {
		return err
	}
	models.CheckAccount(v, r.ClientType, r.Account)
	models.CheckNickname(v, r.Nickname)
	policy.check(v, "secret", r.Password, r.Account, r.Nickname, r.Site)
	return v.Err()
}

// reserveRegistration reserves a registration from the client's networks. Errors: a *LoginError of
// ErrTooManyRegistrations, ErrBusy, and the store's.
func (a *Authority) reserveRegistration(ctx context.Context, r Registration) (*reservation, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	attempt, err := a.limiter.reserve(ctx, a.limiter.registrationKeys(r.Client.Address))
	var limited *LoginError
	if errors.As(err, &limited) {
		limited.Reason = ErrTooManyRegistrations
	}
	return attempt, err
}

// newUser hashes the password of a registration. Errors: models.ErrAccountTaken, ErrBusy.
func (a *Authority) newUser(ctx context.Context, r Registration) (models.NewUser, error) {
	_, err := a.store.Credentials(ctx, r.Account)
	switch {
	case err == nil:
		return models.NewUser{}, models.ErrAccountTaken
	case !errors.Is(err, models.ErrNotFound):
		return models.NewUser{}, err
	}
	from := origin{networksOf(r.Client.Address), models.AccountKey(r.Account)}
	hash, err := a.hasher.hash(ctx, from, r.Password)
	return models.NewUser{Account: r.Account, ClientType: r.ClientType, Nickname: r.Nickname,
		PasswordHash: hash, Pending: r.Pending}, err
}

// takenAsValidation turns models.ErrAccountTaken into a models.ValidationError.
func takenAsValidation(err error) error {
	if !errors.Is(err, models.ErrAccountTaken) {
		return err
	}
	v := models.ValidationError{}
	models.AddTaken(v)
	return v
}

// SetPassword replaces a user's password and revokes the user's tokens. Errors:
// models.ValidationError, models.ErrNotFound, ErrBusy.
func (a *Authority) SetPassword(ctx context.Context, uid uint32, password string) error {
	return a.setPassword(ctx, uid, newPassword{"secret", password, ""}, models.UserUpdate{})
}

// PasswordChange replaces the password of a user who knows the old one.
type PasswordChange struct {
	From     Identity // of the user's login token
	Old, New string
	Site     string // host name of the server, which guessers know; may be ""
}

// CheckPasswordChange returns what is wrong with the input, without comparing the old password.
// Errors: models.ValidationError, models.ErrNotFound.
func (a *Authority) CheckPasswordChange(ctx context.Context, p PasswordChange) error {
	v := models.ValidationError{}
	if p.Old == "" {
		v.Require("old")
	}
	if len(p.Old) > MaxPassword {
		v.Add("old", msgOldPasswordWrong)
	}
	return a.checkPasswordOf(ctx, p.From.UID, newPassword{"new", p.New, p.Site}, v)
}

// ChangePassword replaces a user's password and revokes the user's tokens. Errors:
// models.ValidationError, models.ErrNotFound, ErrLoginTokenRequired, ErrBusy, a *LoginError of
// ErrTooManyAttempts, and wire.ErrTokenInvalid if the account changed at the same time.
func (a *Authority) ChangePassword(ctx context.Context, p PasswordChange) error {
	if err := a.CheckPasswordChange(ctx, p); err != nil {
		return err
	}
	found, err := a.store.CredentialsByID(ctx, p.From.UID)
	if err != nil {
		return err
	}
	if err := a.checkOldPassword(ctx, found, p); err != nil {
		return err
	}
	err = a.replacePassword(ctx, p.From.UID, p.New, models.UserUpdate{IfEpoch: &found.Epoch})
	if errors.Is(err, models.ErrChanged) { // and its tokens were revoked
		return errRevoked
	}
	return err
}

// checkOldPassword compares the old password. The attempts of a session are counted together, and
// apart from those of others: see Authority.session.
func (a *Authority) checkOldPassword(
	ctx context.Context, found models.Credentials, p PasswordChange,
) error {
	session, err := a.session(ctx, p.From)
	if err != nil {
		return err
	}
	l := Login{Account: found.User.Account, Password: p.Old, Devices: []Device{session}}
	err = a.checkPassword(ctx, l, found)
	if errors.Is(err, ErrWrongPassword) {
		return models.ValidationError{"old": {msgOldPasswordWrong}}
	}
	return err
}

const msgOldPasswordWrong = "This is not your current password."

// newPassword is a new password, the name of its field, and the host name of the site.
type newPassword struct{ field, text, site string }

// checkPasswordOf checks a new password for an existing account. It returns what is wrong together
// with v. Errors: models.ValidationError, models.ErrNotFound.
func (a *Authority) checkPasswordOf(
	ctx context.Context, uid uint32, n newPassword, v models.ValidationError,
) error {
	var user models.User
	if a.policy.meter != nil {
		var err error
		if user, err = a.store.UserByID(ctx, uid); err != nil {
			return err
		}
	}
	a.policy.check(v, n.field, n.text, user.Account, user.Nickname, n.site)
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

// replacePassword hashes a password that was checked and stores the hash.
func (a *Authority) replacePassword(
	ctx context.Context, uid uint32, password string, up models.UserUpdate,
) error {
	user := origin{account: strconv.FormatUint(uint64(uid), 10)}
	hash, err := a.hasher.hash(ctx, user, password)
	if err != nil {
		return err
	}
	up.PasswordHash, up.Reason = &hash, "password changed"
	return a.update(ctx, uid, up)
}

// SetNickname changes a user's nickname. The user's tokens stay valid. Errors:
// models.ValidationError, models.ErrNotFound.
func (a *Authority) SetNickname(ctx context.Context, uid uint32, nickname string) error {
	v := models.ValidationError{}
	models.CheckNickname(v, nickname)
	if err := v.Err(); err != nil {
		return err
	}
	return a.update(ctx, uid, models.UserUpdate{Nickname: &nickname})
}

func stateReason(state models.State) string {
	if state == models.Disabled {
		return "account disabled"
	}
	return "account enabled"
}

// Change is what an administrator changes in an account. Nil fields stay as they are.
type Change struct {
	Nickname *string
	Role     *models.Role
	State    *models.State
}

// Check returns what is wrong with the input. Errors: models.ValidationError.
func (c Change) Check() error {
	v := models.ValidationError{}
	if c.Nickname != nil {
		models.CheckNickname(v, *c.Nickname)
	}
	return v.Err()
}

// Change changes an account in one transaction. A new role or state revokes its tokens. Errors:
// models.ValidationError, models.ErrNotFound, models.ErrLastAdministrator.
func (a *Authority) Change(ctx context.Context, uid uint32, c Change) error {
	if err := c.Check(); err != nil {
		return err
	}
	up := models.UserUpdate{Nickname: c.Nickname}
	user, err := a.store.UserByID(ctx, uid)
	if err != nil {
		return err
	}
	if c.Role != nil && *c.Role != user.Role {
		up.Role, up.Reason = c.Role, "role changed"
	}
	if c.State != nil && *c.State != user.State {
		up.State, up.Reason = c.State, stateReason(*c.State)
	}
	return a.update(ctx, uid, up)
}

func (a *Authority) update(ctx context.Context, uid uint32, up models.UserUpdate) error {
	up.Reason = a.reason(up.Reason)
	revocation, err := a.store.UpdateUser(ctx, uid, up)
	if err == nil {
		a.addRevocations(ctx, up.Reason, revocation)
	}
	return err
}

// Delete deletes an account and revokes its tokens. Errors: models.ErrNotFound,
// models.ErrLastAdministrator.
func (a *Authority) Delete(ctx context.Context, uid uint32) error {
	reason := a.reason("account deleted")
	revocation, err := a.store.DeleteUser(ctx, uid, reason)
	if err == nil {
		a.addRevocations(ctx, reason, revocation)
	}
	return err
}
