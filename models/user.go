package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// User is an account. The hash of its secret is not part of it, so that nothing can print it.
type User struct {
	ID          uint32 // never reused
	Account     string // as typed; AccountKey(Account) is unique
	ClientType  ClientType
	Nickname    string
	Role        Role
	State       State
	CreatedAt   int64 // Unix seconds
	UpdatedAt   int64 // Unix seconds
	LastLoginAt int64 // Unix seconds, 0 for never
}

// NewUser is what CreateUser needs. The fields are taken as checked: see CheckAccount and
// CheckNickname.
type NewUser struct {
	Account      string
	ClientType   ClientType
	Nickname     string
	Role         Role
	PasswordHash string // PHC string
}

// Credentials is what a login is checked against.
type Credentials struct {
	User         User
	PasswordHash string // PHC string
	Epoch        int64  // grows when the secret, the role or the state changes
}

// UserUpdate is a change to an account; nil fields stay. A change of role, state or secret ends
// every token of the account, for Reason, and every link to set its secret.
type UserUpdate struct {
	Nickname     *string
	Role         *Role
	State        *State
	PasswordHash *string
	Reason       string

	IfEpoch  *int64   // only if this is still the account's epoch: see Credentials
	Reset    *TokenID // only by using up this link, and only of an active account
	KeepLast bool     // not if it would take away the last active administrator
}

func (up UserUpdate) revokesTokens() bool {
	return up.Role != nil || up.State != nil || up.PasswordHash != nil
}

// UserFilter selects users. The zero value selects the first users of all.
type UserFilter struct {
	Query string // only those whose account or nickname holds this, in any case
	After uint32 // only ids above this one: the last of the previous page
	Limit int    // at most so many; 0 means 100
}

// UserByID returns one user, or ErrNotFound.
func (s *Store) UserByID(ctx context.Context, id uint32) (User, error) {
	c, err := s.CredentialsByID(ctx, id)
	return c.User, err
}

// UserByAccount returns the user of an account in any spelling, or ErrNotFound.
func (s *Store) UserByAccount(ctx context.Context, account string) (User, error) {
	c, err := s.Credentials(ctx, account)
	return c.User, err
}

// Credentials returns what a login with this account is checked against, or ErrNotFound.
func (s *Store) Credentials(ctx context.Context, account string) (Credentials, error) {
	var row userRow
	key := AccountKey(account)
	if !IsText(key) {
		return Credentials{}, ErrNotFound
	}
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE account_key = $1", []any{key},
		row.fields()...)
	if err == nil && row.accountKey != key {
		err = fmt.Errorf("%w: %w: user %d is found by another's account", ErrUnavailable, ErrDamaged,
			row.ID)
	}
	return row.credentials(err)
}

// CredentialsByID is Credentials by the user's id.
func (s *Store) CredentialsByID(ctx context.Context, id uint32) (Credentials, error) {
	var row userRow
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", []any{id}, row.fields()...)
	return row.credentials(err)
}

// credentials are those of a row that was read with an error.
func (r *userRow) credentials(err error) (Credentials, error) {
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{User: r.User, PasswordHash: r.passwordHash, Epoch: r.epoch}, nil
}

// Users returns a page of users in the order of their ids.
func (s *Store) Users(ctx context.Context, f UserFilter) ([]User, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	escape := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
	like := "%" + escape.Replace(fold(f.Query)) + "%"
	var users []User
	err := s.all(ctx, "SELECT "+userColumns+` FROM users WHERE id > $1
		AND (account_key LIKE $2 ESCAPE '\' OR nickname_key LIKE $3 ESCAPE '\')
		ORDER BY id LIMIT $4`, []any{f.After, like, like, f.Limit}, func(scan func(...any) error) error {
		var row userRow
		if err := scan(row.fields()...); err != nil {
			return err
		}
		users = append(users, row.User)
		return row.check()
	})
	return users, err
}

// HasUsers says whether any account exists.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	has, err := s.hasTable(ctx, "users")
	if err != nil || !has {
		return false, s.engine.classify(err)
	}
	return s.exists(ctx, "SELECT 1 FROM users LIMIT 1")
}

func (s *Store) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var one int
	err := s.scan(ctx, query, args, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CreateUser stores a new account. Errors: ErrAccountTaken.
func (s *Store) CreateUser(ctx context.Context, n NewUser) (User, error) {
	var u User
	err := s.inTransaction(ctx, func(t transaction) (err error) {
		u, err = t.createUser(n)
		return err
	})
	return u, err
}

func (t transaction) createUser(n NewUser) (User, error) {
	id, err := t.next("user")
	if err != nil {
		return User{}, err
	}
	if id > math.MaxUint32 {
		return User{}, errors.New("user ids are used up")
	}
	at := now()
	u := User{ID: uint32(id), Account: n.Account, ClientType: n.ClientType, Nickname: n.Nickname,
		Role: n.Role, State: Active, CreatedAt: at, UpdatedAt: at}
	row := userRow{User: u, accountKey: AccountKey(u.Account), passwordHash: n.PasswordHash}
	rows, err := t.exec(
		`INSERT INTO users (id, account, account_key, client_type, nickname, role, state,
			secret_hash, epoch, ended_through, created_at, updated_at, last_login_at, nickname_key,
			checksum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10, 0, $11, $12)
		ON CONFLICT (account_key) DO NOTHING`,
		u.ID, u.Account, row.accountKey, u.ClientType, u.Nickname, u.Role, u.State,
		row.passwordHash, u.CreatedAt, u.UpdatedAt, fold(u.Nickname), row.sum())
	if err != nil {
		return u, err
	}
	if rows == 0 {
		return u, ErrAccountTaken
	}
	return u, t.recordAdministrator(u.Role)
}

// UpdateUser changes an account and, when its role, state or secret changes, ends every token of
// it in the same transaction; the ending is returned (zero when no token was live). Errors:
// ErrNotFound, ErrChanged when a condition of the update does not hold, ErrLastAdministrator.
func (s *Store) UpdateUser(ctx context.Context, id uint32, up UserUpdate) (Revocation, error) {
	var ending Revocation
	err := s.inTransaction(ctx, func(t transaction) error {
		row, err := t.lockForUpdate(id, up)
		if err != nil {
			return err
		}
		up.apply(&row)
		if up.revokesTokens() {
			if ending, err = t.revokeAll(&row, up.Reason); err != nil {
				return err
			}
			if _, err := t.exec("DELETE FROM resets WHERE uid = $1", id); err != nil {
				return err
			}
		}
		if err := t.storeUser(row); err != nil {
			return err
		}
		return t.checkAdministratorRemains(up)
	})
	return ending, err
}

// lockForUpdate reads a user for an update whose conditions are met. What makes or unmakes
// administrators is done one after the other.
func (t transaction) lockForUpdate(id uint32, up UserUpdate) (userRow, error) {
	if up.Role != nil || up.KeepLast {
		if err := t.lock("setup"); err != nil {
			return userRow{}, err
		}
	}
	row, err := t.lockUser(id)
	if errors.Is(err, ErrNotFound) || err == nil && !up.holds(row) {
		return row, up.unmet()
	}
	if err == nil && up.Reset != nil {
		err = t.useReset(*up.Reset)
	}
	return row, err
}

// lockUser reads a user for a change, so that no other comes between. Errors: ErrNotFound.
func (t transaction) lockUser(id uint32) (row userRow, err error) {
	err = t.scan("UPDATE users SET updated_at = updated_at WHERE id = $1 RETURNING "+userColumns,
		[]any{id}, row.fields()...)
	if err == nil {
		err = row.check()
	}
	return row, err
}

// storeUser writes what of a locked user can change, except its times.
func (t transaction) storeUser(row userRow) error {
	t.effects.destructive = true
	_, err := t.exec(`UPDATE users SET nickname = $1, nickname_key = $2, role = $3, state = $4,
		secret_hash = $5, epoch = $6, ended_through = $7, checksum = $8, updated_at = $9 WHERE id = $10`,
		row.Nickname, fold(row.Nickname), row.Role, row.State, row.passwordHash, row.epoch,
		row.revokedThrough, row.sum(), row.UpdatedAt, row.ID)
	return err
}

// holds says whether the conditions of an update are met.
func (up UserUpdate) holds(row userRow) bool {
	return (up.IfEpoch == nil || *up.IfEpoch == row.epoch) && (up.Reset == nil || row.State == Active)
}

func (up UserUpdate) apply(row *userRow) {
	row.UpdatedAt = now()
	if up.revokesTokens() {
		row.epoch++
	}
	replace(&row.Nickname, up.Nickname)
	replace(&row.Role, up.Role)
	replace(&row.State, up.State)
	replace(&row.passwordHash, up.PasswordHash)
}

// replace puts a new value in the place of an old one, if there is one.
func replace[T any](old, value *T) {
	if value != nil {
		*old = *value
	}
}

// unmet is what it means that an update found no row.
func (up UserUpdate) unmet() error {
	if up.IfEpoch != nil || up.Reset != nil {
		return ErrChanged
	}
	return ErrNotFound
}

// ReplaceHash stores another hash of the same secret, unless the hash is no longer the old one.
// It ends no token.
func (s *Store) ReplaceHash(ctx context.Context, id uint32, old, hash string) error {
	return s.inTransaction(ctx, func(t transaction) error {
		row, err := t.lockUser(id)
		if errors.Is(err, ErrNotFound) || err == nil && row.passwordHash != old {
			return nil
		}
		if err != nil {
			return err
		}
		row.passwordHash = hash
		return t.storeUser(row)
	})
}

// DeleteUser deletes an account, ends every token of it, and frees the account's name; with
// keepLast not the last active administrator. Errors: ErrNotFound, ErrLastAdministrator.
func (s *Store) DeleteUser(ctx context.Context, id uint32, keepLast bool) (Revocation, error) {
	var ending Revocation
	err := s.inTransaction(ctx, func(t transaction) error {
		if keepLast {
			if err := t.lock("setup"); err != nil {
				return err
			}
		}
		row, err := t.lockUser(id)
		if err != nil {
			return err
		}
		if ending, err = t.revokeAll(&row, "account deleted"); err != nil {
			return err
		}
		t.effects.destructive = true
		if _, err := t.exec("DELETE FROM users WHERE id = $1", id); err != nil {
			return err
		}
		if keepLast && row.Role == RoleAdministrator {
			return t.checkAdministrators()
		}
		return nil
	})
	return ending, err
}
