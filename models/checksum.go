package models

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
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
