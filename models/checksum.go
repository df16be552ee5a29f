package models

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"

	"github.com/pressly/goose/v3"
)

// Whoever may do what is stored with a checksum, so that a page gone bad, which SQLite itself does
// not notice, lets nobody in: each user has one, and all endings together have one. They are no
// protection from someone who can write the database.

// record is what a checksum is made of. Every part is of fixed length or has its length before it.
type record []byte

func (r record) number(n int64) record { return binary.BigEndian.AppendUint64(r, uint64(n)) }

func (r record) text(s string) record { return append(r.number(int64(len(s))), s...) }

func (r record) checksum() int64 {
	sum := sha256.Sum256(r)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

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

// checksum is that of one ending under its number. The checksum of all is their exclusive or.
func (e Revocation) checksum(seq int64) int64 {
	earlier := int64(0)
	if e.EarlierToo {
		earlier = 1
	}
	return make(record, 0, 48).number(seq).number(int64(e.Through.UID)).number(e.Through.Order()).
		number(earlier).number(e.EndsAt).number(e.ExpiresAt).checksum()
}

// updateChecksum takes the checksum of an ending into that of all, or out of it. What SQLite has no
// exclusive or for is what either has less what both have.
func (t transaction) updateChecksum(sum int64) error {
	_, err := t.exec(`UPDATE sequences SET value = (value | $1) - (value & $2)
		WHERE name = 'endings checksum'`, sum, sum)
	return err
}

// addChecksums is the migration that gives every user, and all endings, a checksum.
func addChecksums(e engine) *goose.Migration {
	return goose.NewGoMigration(5, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		t := transaction{ctx, tx, e, &effects{}}
		_, err := t.exec("ALTER TABLE users ADD COLUMN checksum BIGINT NOT NULL DEFAULT 0")
		if err != nil {
			return err
		}
		users, err := t.userRows()
		if err != nil {
			return err
		}
		for _, row := range users {
			_, err := t.exec("UPDATE users SET checksum = $1 WHERE id = $2", row.sum(), row.ID)
			if err != nil {
				return err
			}
		}
		checksum, err := t.revocationsChecksum()
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO sequences (name, value)
			VALUES ('endings checksum', $1), ('change', 0)`, checksum)
		return err
	}}, nil)
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

func (t transaction) revocationsChecksum() (checksum int64, err error) {
	rows, err := t.query("SELECT " + revocationColumns + " FROM endings")
	if err != nil {
		return 0, err
	}
	_, checksum, err = sumRevocations(rows)
	return checksum, err
}

// Recover makes a database usable again that is damaged, or older than it was. What ended cannot be
// known any longer, so every token and link ends, by a new key in the place of all. Users whose row
// is not as it was written are disabled and have no rights; their ids are returned. It takes the
// number of the newest change to the keys. Errors: ErrChanged.
func (s *Store) Recover(ctx context.Context, known int64, seal Seal) (damaged []uint32, err error) {
	marked := int64(0)
	if e, ok := s.engine.(*sqlite); ok {
		if marked, err = e.changes.value(); err != nil {
			return nil, err
		}
	}
	err = s.inTransaction(ctx, func(t transaction) error {
		damaged = nil
		if err := t.changeRing(known); err != nil {
			return err
		}
		users, err := t.userRows()
		if err != nil {
			return err
		}
		for _, row := range users {
			if row.check() == nil {
				continue
			}
			damaged = append(damaged, row.ID)
			row.Role, row.State, row.epoch = RoleUser, Disabled, row.epoch+1
			if err := t.storeUser(row); err != nil {
				return err
			}
		}
		for _, statement := range []string{"DELETE FROM endings", "DELETE FROM resets",
			"DELETE FROM keys", "UPDATE tokens SET ends_at = 0 WHERE ends_at > 0",
			"UPDATE sequences SET value = 0 WHERE name = 'endings checksum'"} {
			if _, err := t.exec(statement); err != nil {
				return err
			}
		}
		t.effects.destructive = true
		_, err = t.exec("UPDATE sequences SET value = $1 WHERE name = 'change' AND value < $2",
			marked, marked)
		if err != nil {
			return err
		}
		return t.createKey(0, seal)
	})
	return damaged, err
}
