package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/mattn/go-sqlite3"
)

// rows writes rows with Latchkey's driver and settings, except for synchronous. It is the control:
// NORMAL must lose what FULL keeps. Its entries are the numbers of rows.
type rows struct {
	synchronous string
	db          *sql.DB
	mu          sync.Mutex // one writer, as in Latchkey
	number      int64
}

func (r *rows) open(disk string) (err error) {
	r.db, err = sql.Open("sqlite3", "file:"+filepath.Join(disk, "rows.db")+"?_busy_timeout=5000&_foreign_keys=1"+
		"&_journal_mode=WAL&_txlock=immediate&mode=rwc&_synchronous="+r.synchronous)
	if err != nil {
		return err
	}
	r.db.SetMaxOpenConns(1)
	var journal, synchronous string
	if err := r.db.QueryRow("PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if err := r.db.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	if want := map[string]string{"NORMAL": "1", "FULL": "2"}[r.synchronous]; journal != "wal" || synchronous != want {
		return fmt.Errorf("journal_mode %s, synchronous %s", journal, synchronous)
	}
	if _, err := r.db.Exec("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, text TEXT)"); err != nil {
		return err
	}
	return r.db.QueryRow("SELECT COALESCE(MAX(n), 0) FROM rows").Scan(&r.number)
}

func (r *rows) close() error { return r.db.Close() }

func (r *rows) missing(entry string) string {
	var found int
	if err := r.db.QueryRow("SELECT COUNT(*) FROM rows WHERE n = ?", entry).Scan(&found); err != nil {
		return err.Error()
	}
	if found != 1 {
		return "no such row"
	}
	return ""
}

func (r *rows) work(_ int, note func(entry string)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO rows VALUES (?, ?)", r.number, strings.Repeat("x", 200)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	note(fmt.Sprint(r.number))
	return nil
}
