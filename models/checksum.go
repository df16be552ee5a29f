package models

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
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

// sumRevocations reads rows of endings to their end.
func sumRevocations(rows *sql.Rows) (count, checksum int64, err error) {
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		e, seq, err := scanRevocation(rows.Scan)
		if err != nil {
			return 0, 0, err
		}
		count, checksum = count+1, checksum^e.checksum(seq)
	}
	return count, checksum, rows.Err()
}

func (t transaction) revocationsChecksum() (checksum int64, err error) {
	rows, err := t.query("SELECT " + revocationColumns + " FROM endings")
	if err != nil {
		return 0, err
	}
	_, checksum, err = sumRevocations(rows)
	return checksum, err
}
