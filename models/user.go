package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Role is what a user may do. It decides the scope of the user's tokens.
type Role uint8

// The roles. The numbers are those of the original service's "auth" member.
const (
	RoleUser          Role = 1
	RoleAdministrator Role = 2
)

// String returns the word that the command line uses.
func (r Role) String() string {
	switch r {
	case RoleUser:
		return "user"
	case RoleAdministrator:
		return "admin"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Scope returns the scope of the tokens that a user of this role gets by a login.
func (r Role) Scope() Scope {
	if r == RoleAdministrator {
		return AdminScope
	}
	return UserScope
}

// State says whether an account can be used.
type State uint8

// The states of an account.
const (
	Active   State = 1
	Disabled State = 2
	Pending  State = 3 // waits for an administrator to approve it
)

// String returns the word that the command line uses.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Disabled:
		return "disabled"
	case Pending:
		return "pending"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// User is an account. It does not contain the password hash, so nothing can print it.
type User struct {
	ID          uint32 // never reused
	Account     string // as typed; AccountKey(Account) is unique
	ClientType  ClientType
	Nickname    string
	Role        Role
	State       State
	CreatedAt   int64 // Unix seconds
	UpdatedAt   int64 // Unix seconds
	LastLoginAt int64 // Unix seconds; 0: never
}

// Credentials is what a login is checked against.
type Credentials struct {
	User         User
	PasswordHash string // PHC string
	Epoch        int64  // grows when the password, the role or the state changes
}

// UserByID returns a user. Errors: ErrNotFound.
func (s *Store) UserByID(ctx context.Context, id uint32) (User, error) {
	c, err := s.CredentialsByID(ctx, id)
	return c.User, err
}

// UserByAccount returns the user of an account in any spelling. Errors: ErrNotFound.
func (s *Store) UserByAccount(ctx context.Context, account string) (User, error) {
	c, err := s.Credentials(ctx, account)
	return c.User, err
}

// Credentials returns the credentials of an account in any spelling. Errors: ErrNotFound.
func (s *Store) Credentials(ctx context.Context, account string) (Credentials, error) {
	var row userRow
	key := AccountKey(account)
	if !IsText(key) {
		return Credentials{}, ErrNotFound
	}
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE account_key = $1", []any{key},
		row.fields()...)
	if err == nil && row.accountKey != key {
		err = damagedUser(row.ID, "is found under another account")
	}
	return row.credentials(err)
}

// CredentialsByID returns the credentials of a user. Errors: ErrNotFound.
func (s *Store) CredentialsByID(ctx context.Context, id uint32) (Credentials, error) {
	var row userRow
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", []any{id}, row.fields()...)
	return row.credentials(err)
}

// HashBeginnings returns the different beginnings of the stored password hashes: each without its
// last characters, in which salt and hash differ.
func (s *Store) HashBeginnings(ctx context.Context, last int) (beginnings []string, err error) {
	err = s.all(ctx, `SELECT DISTINCT substr(secret_hash, 1, length(secret_hash) - $1) FROM users
		WHERE length(secret_hash) > $2`, []any{last, last}, func(scan scanFunc) error {
		var beginning string
		if err := scan(&beginning); err != nil {
			return err
		}
		beginnings = append(beginnings, beginning)
		return nil
	})
	return beginnings, err
}

// UserFilter selects a page of users.
type UserFilter struct {
	Query string // only users whose account or nickname contains this, in any case
	After uint32 // only ids above this one, the last of the previous page
	Limit int    // users of the page; 0: 100
	State State  // only users in this state; 0: all
}

// Users returns a page of users, sorted by id.
func (s *Store) Users(ctx context.Context, f UserFilter) ([]User, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	escape := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)
	like := "%" + escape.Replace(fold(f.Query)) + "%"
	var users []User
	err := s.all(ctx, "SELECT "+userColumns+` FROM users WHERE id > $1
		AND (account_key LIKE $2 ESCAPE '\' OR nickname_key LIKE $3 ESCAPE '\')
		AND ($4 = 0 OR state + pending = $5) ORDER BY id LIMIT $6`,
		[]any{f.After, like, like, f.State, f.State, f.Limit}, func(scan scanFunc) error {
			var row userRow
			if err := scan(row.fields()...); err != nil {
				return err
			}
			users = append(users, row.User)
			return row.check()
		})
	return users, err
}

// HasUsers reports whether there is any account. The schema need not exist.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	has, err := s.hasTable(ctx, "users")
	if err != nil || !has {
		return false, err
	}
	return s.exists(ctx, "SELECT 1 FROM users LIMIT 1")
}

// NewUser is an account to create. CreateUser does not check it: see CheckAccount and
// CheckNickname.
type NewUser struct {
	Account      string
	ClientType   ClientType
	Nickname     string
	Role         Role
	PasswordHash string // PHC string
	Pending      bool   // it waits for an administrator to approve it
}

func (n NewUser) state() State {
	if n.Pending {
		return Pending
	}
	return Active
}

// CreateUser stores a new account. Errors: ErrAccountTaken.
func (s *Store) CreateUser(ctx context.Context, n NewUser) (u User, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		u, err = t.createUser(n)
		return err
	})
	return u, err
}

func (t *transaction) createUser(n NewUser) (User, error) {
	id, err := t.next(userSequence)
	if err != nil {
		return User{}, err
	}
	if id > math.MaxUint32 {
		return User{}, errors.New("all user ids are used")
	}
	at := now()
	u := User{ID: uint32(id), Account: n.Account, ClientType: n.ClientType, Nickname: n.Nickname,
		Role: n.Role, State: n.state(), CreatedAt: at, UpdatedAt: at}
	row := userRow{User: u, accountKey: AccountKey(u.Account), passwordHash: n.PasswordHash}
	state, pending := u.State.columns()
	rows, err := t.exec(
		`INSERT INTO users (id, account, account_key, client_type, nickname, role, state, pending,
			secret_hash, epoch, ended_through, created_at, updated_at, last_login_at, nickname_key,
			checksum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $11, 0, $12, $13)
		ON CONFLICT (account_key) DO NOTHING`,
		u.ID, u.Account, row.accountKey, u.ClientType, u.Nickname, u.Role, state, pending,
		row.passwordHash, u.CreatedAt, u.UpdatedAt, fold(u.Nickname), row.sum())
	if err != nil {
		return u, err
	}
	if rows == 0 {
		return u, ErrAccountTaken
	}
	return u, t.recordSetup(u.Role)
}
