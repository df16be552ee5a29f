package models

import "fmt"

// userRow is everything stored of a user that a decision rests on.
type userRow struct {
	User
	accountKey     string
	passwordHash   string // PHC string
	epoch          int64
	revokedThrough int64
	checksum       int64
}

const userColumns = `id, account, client_type, nickname, role, state, created_at, updated_at,
	last_login_at, account_key, secret_hash, epoch, ended_through, checksum`

// fields are the places of userColumns.
func (r *userRow) fields() []any {
	return []any{&r.ID, &r.Account, &r.ClientType, &r.Nickname, &r.Role, &r.State, &r.CreatedAt,
		&r.UpdatedAt, &r.LastLoginAt, &r.accountKey, &r.passwordHash, &r.epoch, &r.revokedThrough,
		&r.checksum}
}

// sum is the checksum that the row must have.
func (r *userRow) sum() int64 {
	return record(nil).number(int64(r.ID)).text(r.Account).text(r.accountKey).
		number(int64(r.ClientType)).text(r.Nickname).number(int64(r.Role)).number(int64(r.State)).
		number(r.CreatedAt).text(r.passwordHash).number(r.epoch).number(r.revokedThrough).checksum()
}

// check refuses a row that is not as it was written.
func (r *userRow) check() error {
	if r.sum() != r.checksum {
		return fmt.Errorf("%w: %w: user %d is not as it was written: "+
			"run latchkey recover", ErrUnavailable, ErrDamaged, r.ID)
	}
	return nil
}

func (t transaction) userRows() (users []userRow, err error) {
	rows, err := t.query("SELECT " + userColumns + " FROM users")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var row userRow
		if err := rows.Scan(row.fields()...); err != nil {
			return nil, err
		}
		users = append(users, row)
	}
	return users, rows.Err()
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
