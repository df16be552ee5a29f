package models

import (
	"context"
	"errors"
	"math"
	"strconv"
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
	Account    string
	ClientType ClientType
	Nickname   string
	Role       Role
	SecretHash string // PHC string
}

// Credentials is what a login is checked against.
type Credentials struct {
	User       User
	SecretHash string // PHC string
	Epoch      int64  // grows when the secret, the role or the state changes
}

// UserUpdate is a change to an account; nil fields stay. A change of role, state or secret ends
// every token of the account, for Reason, and every link to set its secret.
type UserUpdate struct {
	Nickname   *string
	Role       *Role
	State      *State
	SecretHash *string
	Reason     string

	IfEpoch  *int64   // only if this is still the account's epoch: see Credentials
	Reset    *TokenID // only by using up this link, and only of an active account
	KeepLast bool     // not if it would take away the last active administrator
}

func (up UserUpdate) endsTokens() bool {
	return up.Role != nil || up.State != nil || up.SecretHash != nil
}

// UserFilter selects users. The zero value selects the first users of all.
type UserFilter struct {
	Query string // only those whose account or nickname holds this, in any case
	After uint32 // only ids above this one: the last of the previous page
	Limit int    // at most so many; 0 means 100
}

const userColumns = `id, account, client_type, nickname, role, state,
	created_at, updated_at, last_login_at`

// userFields are the places of userColumns in a User.
func userFields(u *User) []any {
	return []any{&u.ID, &u.Account, &u.ClientType, &u.Nickname, &u.Role, &u.State,
		&u.CreatedAt, &u.UpdatedAt, &u.LastLoginAt}
}

// UserByID returns one user, or ErrNotFound.
func (s *Store) UserByID(ctx context.Context, id uint32) (User, error) {
	var u User
	err := s.scan(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1",
		[]any{id}, userFields(&u)...)
	return u, err
}

// UserByAccount returns the user of an account in any spelling, or ErrNotFound.
func (s *Store) UserByAccount(ctx context.Context, account string) (User, error) {
	c, err := s.Credentials(ctx, account)
	return c.User, err
}

// Credentials returns what a login with this account is checked against, or ErrNotFound.
func (s *Store) Credentials(ctx context.Context, account string) (Credentials, error) {
	return s.credentials(ctx, "account_key = $1", AccountKey(account))
}

// CredentialsByID is Credentials by the user's id.
func (s *Store) CredentialsByID(ctx context.Context, id uint32) (Credentials, error) {
	return s.credentials(ctx, "id = $1", id)
}

func (s *Store) credentials(ctx context.Context, where string, arg any) (Credentials, error) {
	var c Credentials
	err := s.scan(ctx, "SELECT secret_hash, epoch, "+userColumns+" FROM users WHERE "+where,
		[]any{arg}, append([]any{&c.SecretHash, &c.Epoch}, userFields(&c.User)...)...)
	return c, err
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
		var u User
		err := scan(userFields(&u)...)
		users = append(users, u)
		return err
	})
	return users, err
}

// HasUsers says whether any account exists.
func (s *Store) HasUsers(ctx context.Context) (bool, error) {
	has, err := s.hasTable(ctx, "users")
	if err != nil || !has {
		return false, classify(err)
	}
	return s.exists(ctx, "SELECT 1 FROM users LIMIT 1")
}

// HasAdministrator says whether an administrator exists, disabled or not.
func (s *Store) HasAdministrator(ctx context.Context) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM users WHERE role = $1 LIMIT 1", RoleAdministrator)
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

// CreateFirstAdministrator stores an administrator if there is none yet. Errors: ErrSetupDone,
// ErrAccountTaken.
func (s *Store) CreateFirstAdministrator(ctx context.Context, n NewUser) (User, error) {
	n.Role = RoleAdministrator
	var u User
	err := s.inTransaction(ctx, func(t transaction) error {
		// Drawing the number first locks out a second administrator made at the same time.
		var administrators int
		err := t.scan(`UPDATE sequences SET value = value WHERE name = 'user'
			RETURNING (SELECT COUNT(*) FROM users WHERE role = $1)`,
			[]any{RoleAdministrator}, &administrators)
		if err != nil {
			return err
		}
		if administrators > 0 {
			return ErrSetupDone
		}
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
	rows, err := t.exec(
		`INSERT INTO users (id, account, account_key, client_type, nickname, role, state,
			secret_hash, epoch, ended_through, created_at, updated_at, last_login_at, nickname_key)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10, 0, $11)
		ON CONFLICT (account_key) DO NOTHING`,
		u.ID, u.Account, AccountKey(u.Account), u.ClientType, u.Nickname, u.Role, u.State,
		n.SecretHash, u.CreatedAt, u.UpdatedAt, fold(u.Nickname))
	if err != nil {
		return u, err
	}
	if rows == 0 {
		return u, ErrAccountTaken
	}
	return u, t.noteAdministrator(u.Role)
}

// noteAdministrator remembers when the newest administrator was made.
func (t transaction) noteAdministrator(role Role) error {
	if role != RoleAdministrator {
		return nil
	}
	_, err := t.exec("UPDATE sequences SET value = $1 WHERE name = 'setup'", now())
	return err
}

// SetupSpent says whether a link for the first administrator that was made at a Unix second is
// spent, because an administrator was made since, whatever has become of it.
func (s *Store) SetupSpent(ctx context.Context, issuedAt int64) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM sequences WHERE name = 'setup' AND value >= $1", issuedAt)
}

// UpdateUser changes an account and, when its role, state or secret changes, ends every token of
// it in the same transaction; the ending is returned (zero when no token was live). Errors:
// ErrNotFound, ErrChanged when a condition of the update does not hold, ErrLastAdministrator.
func (s *Store) UpdateUser(ctx context.Context, id uint32, up UserUpdate) (Ending, error) {
	query, args := up.statement(id)
	var ending Ending
	err := s.inTransaction(ctx, func(t transaction) error {
		if up.Reset != nil {
			if err := t.spendReset(*up.Reset); err != nil {
				return err
			}
		}
		rows, err := t.exec(query, args...)
		if err != nil {
			return err
		}
		if rows == 0 {
			return up.unmet()
		}
		if up.Role != nil {
			if err := t.noteAdministrator(*up.Role); err != nil {
				return err
			}
		}
		if up.KeepLast {
			if err := t.checkAdministrators(); err != nil {
				return err
			}
		}
		if !up.endsTokens() {
			return nil
		}
		if _, err := t.exec("DELETE FROM resets WHERE uid = $1", id); err != nil {
			return err
		}
		ending, err = t.endAll(id, up.Reason)
		return err
	})
	return ending, err
}

// statement is the SQL of an update.
func (up UserUpdate) statement(id uint32) (query string, args []any) {
	var set strings.Builder
	next := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	set.WriteString("UPDATE users SET updated_at = " + next(now()))
	if up.endsTokens() {
		set.WriteString(", epoch = epoch + 1")
	}
	if up.Nickname != nil {
		set.WriteString(", nickname = " + next(*up.Nickname))
		set.WriteString(", nickname_key = " + next(fold(*up.Nickname)))
	}
	if up.Role != nil {
		set.WriteString(", role = " + next(*up.Role))
	}
	if up.State != nil {
		set.WriteString(", state = " + next(*up.State))
	}
	if up.SecretHash != nil {
		set.WriteString(", secret_hash = " + next(*up.SecretHash))
	}
	set.WriteString(" WHERE id = " + next(id))
	if up.IfEpoch != nil {
		set.WriteString(" AND epoch = " + next(*up.IfEpoch))
	}
	if up.Reset != nil {
		set.WriteString(" AND state = " + next(Active))
	}
	return set.String(), args
}

// unmet is what it means that an update found no row.
func (up UserUpdate) unmet() error {
	if up.IfEpoch != nil || up.Reset != nil {
		return ErrChanged
	}
	return ErrNotFound
}

func (t transaction) checkAdministrators() error {
	var one int
	err := t.scan("SELECT 1 FROM users WHERE role = $1 AND state = $2 LIMIT 1",
		[]any{RoleAdministrator, Active}, &one)
	if errors.Is(err, ErrNotFound) {
		return ErrLastAdministrator
	}
	return err
}

// ReplaceHash stores another hash of the same secret, unless the hash is no longer the old one.
// It ends no token.
func (s *Store) ReplaceHash(ctx context.Context, id uint32, old, hash string) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec("UPDATE users SET secret_hash = $1 WHERE id = $2 AND secret_hash = $3",
			hash, id, old)
		return err
	})
}

// DeleteUser deletes an account, ends every token of it, and frees the account's name; with
// keepLast not the last active administrator. Errors: ErrNotFound, ErrLastAdministrator.
func (s *Store) DeleteUser(ctx context.Context, id uint32, keepLast bool) (Ending, error) {
	var ending Ending
	err := s.inTransaction(ctx, func(t transaction) (err error) {
		if ending, err = t.endAll(id, "account deleted"); err != nil {
			return err
		}
		var role Role
		err = t.scan("DELETE FROM users WHERE id = $1 RETURNING role", []any{id}, &role)
		if err == nil && keepLast && role == RoleAdministrator {
			err = t.checkAdministrators()
		}
		return err
	})
	return ending, err
}
