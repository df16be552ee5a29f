package models

import "fmt"

// userRow is everything stored about a user that a decision depends on.
type userRow struct {
	User
	accountKey     string
	passwordHash   string // PHC string
	epoch          int64  // see Credentials
	revokedThrough int64  // no token up to this order is issued any more
	checksum       int64
}

const userColumns = `id, account, client_type, nickname, role, state + pending, created_at,
	updated_at, last_login_at, account_key, secret_hash, epoch, ended_through, checksum`

// fields are the destinations of userColumns.
func (r *userRow) fields() []any {
	return []any{&r.ID, &r.Account, &r.ClientType, &r.Nickname, &r.Role, &r.State, &r.CreatedAt,
		&r.UpdatedAt, &r.LastLoginAt, &r.accountKey, &r.passwordHash, &r.epoch, &r.revokedThrough,
		&r.checksum}
}

// sum computes the row's checksum. To programs of before the mark, a pending account is a disabled
// one, so the mark does not count; on an active account it makes the sum wrong.
func (r *userRow) sum() int64 {
	state, _ := r.State.columns()
	return hashInput(nil).number(int64(r.ID)).text(r.Account).text(r.accountKey).
		number(int64(r.ClientType)).text(r.Nickname).number(int64(r.Role)).number(int64(state)).
		number(r.CreatedAt).text(r.passwordHash).number(r.epoch).number(r.revokedThrough).checksum()
}

// check refuses a row that differs from what was written. Errors: ErrDamaged.
func (r *userRow) check() error {
	if r.sum() != r.checksum {
		return damagedUser(r.ID, "has changed outside Latchkey")
	}
	return nil
}

// damagedUser is the error for a user whose row cannot be trusted.
func damagedUser(id uint32, what string) error {
	return fmt.Errorf("%w: %w: the row of user %d %s. Restore a backup, or run latchkey recover",
		ErrUnavailable, ErrDamaged, id, what)
}

// credentials returns the credentials in a row that was read with err.
func (r *userRow) credentials(err error) (Credentials, error) {
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{User: r.User, PasswordHash: r.passwordHash, Epoch: r.epoch}, nil
}

// columns returns a state's two columns: Pending is Disabled, with a mark.
func (s State) columns() (state State, pending int) {
	if s == Pending {
		return Disabled, 1
	}
	return s, 0
}

// userRows reads all users without checking them. columns are userColumns, or those of an earlier
// schema.
func (t *transaction) userRows(columns string) (users []userRow, err error) {
	rows, err := t.query("SELECT " + columns + " FROM users")
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan scanFunc) error {
		var row userRow
		err := scan(row.fields()...)
		users = append(users, row)
		return err
	})
	return users, err
}

// lockUser reads a user and keeps other transactions from changing it. Errors: ErrNotFound.
func (t *transaction) lockUser(id uint32) (row userRow, err error) {
	err = t.scan("UPDATE users SET updated_at = updated_at WHERE id = $1 RETURNING "+userColumns,
		[]any{id}, row.fields()...)
	if err == nil {
		err = row.check()
	}
	return row, err
}

// storeUser writes the fields of a locked user that can change.
func (t *transaction) storeUser(row userRow) error {
	t.destructive = true
	state, pending := row.State.columns()
	_, err := t.exec(`UPDATE users SET nickname = $1, nickname_key = $2, role = $3, state = $4,
		pending = $5, secret_hash = $6, epoch = $7, ended_through = $8, checksum = $9, updated_at = $10
		WHERE id = $11`, row.Nickname, fold(row.Nickname), row.Role, state, pending, row.passwordHash,
		row.epoch, row.revokedThrough, row.sum(), row.UpdatedAt, row.ID)
	return err
}
