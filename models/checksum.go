package models

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
)

// SQLite does not notice a page that has gone bad. So that bad data lets nobody in, each user has
// a checksum, and all revocations together have one. They do not protect from someone who can
// write to the database.

// hashInput is what a checksum is computed from. Each part has a fixed length or starts with its
// length.
type hashInput []byte

func (h hashInput) number(n int64) hashInput { return binary.BigEndian.AppendUint64(h, uint64(n)) }

func (h hashInput) text(s string) hashInput { return append(h.number(int64(len(s))), s...) }

func (h hashInput) checksum() int64 {
	sum := sha256.Sum256(h)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// checksum returns the checksum of a revocation with its number. The checksum of several is the
// exclusive or of theirs.
func (r Revocation) checksum(seq int64) int64 {
	earlier := int64(0)
	if r.EarlierToo {
		earlier = 1
	}
	return make(hashInput, 0, 48).number(seq).number(int64(r.Through.UID)).number(r.Through.Order()).
		number(earlier).number(r.EndsAt).number(r.ExpiresAt).checksum()
}

// updateChecksum adds a revocation's checksum to the one of all, or removes it. SQLite has no
// exclusive or: it is what either number has, minus what both have.
func (t *transaction) updateChecksum(sum int64) error {
	_, err := t.exec(`UPDATE sequences SET value = (value | $1) - (value & $2)
		WHERE name = $3`, sum, sum, revocationChecksum)
	return err
}

// revocationsChecksum computes the checksum of all stored revocations.
func (t *transaction) revocationsChecksum() (checksum int64, err error) {
	rows, err := t.query("SELECT " + revocationColumns + " FROM endings")
	if err != nil {
		return 0, err
	}
	_, checksum, err = sumRevocations(rows)
	return checksum, err
}

// sumRevocations counts rows of revocationColumns and computes their checksum.
func sumRevocations(rows *sql.Rows) (count, checksum int64, err error) {
	err = eachRow(rows, func(scan scanFunc) error {
		r, seq, err := scanRevocation(scan)
		count, checksum = count+1, checksum^r.checksum(seq)
		return err
	})
	return count, checksum, err
}
