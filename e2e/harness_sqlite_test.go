package e2e_test

import (
	"crypto/sha256"
	"database/sql"
	encoding "encoding/binary"
	"testing"
	"time"
)

// execSQL runs a statement on a database.
func execSQL(t testing.TB, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	_, err = db.Exec(statement)
	must(t, err)
	must(t, db.Close())
}

// querySQL returns the number that a statement selects.
func querySQL(t testing.TB, path, statement string) (number int64) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	defer db.Close()
	must(t, db.QueryRow(statement).Scan(&number))
	return number
}

// rewriteRevocationChecksum stores the checksum of the revocations that are in the table, so that
// the server accepts rows that a test has added.
func rewriteRevocationChecksum(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	defer db.Close()
	rows, err := db.Query("SELECT seq, uid, token_order, earlier_too, ends_at, expires_at FROM endings")
	must(t, err)
	defer rows.Close()
	all := uint64(0)
	for rows.Next() {
		var row [6]int64
		must(t, rows.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5]))
		var record []byte
		for _, number := range row {
			record = encoding.BigEndian.AppendUint64(record, uint64(number))
		}
		sum := sha256.Sum256(record)
		all ^= encoding.BigEndian.Uint64(sum[:8])
	}
	must(t, rows.Err())
	_, err = db.Exec("UPDATE sequences SET value = ?1 WHERE name = 'endings checksum'", int64(all))
	must(t, err)
}

// holdLock keeps the database exclusively locked for a time.
func holdLock(t testing.TB, path string, length time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE")
	must(t, err)
	time.Sleep(length)
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
}
