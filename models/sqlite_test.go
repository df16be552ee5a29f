package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"
)

func TestOpen(t *testing.T) {
	t.Run("ErrNoDatabase", func(t *testing.T) {
		if _, err := Open(t.Context(), t.TempDir(), false); !errors.Is(err, ErrNoDatabase) {
			t.Error(err)
		}
	})
	t.Run("ErrForeign", func(t *testing.T) {
		dir := t.TempDir()
		text := strings.Repeat("no database ", 100)
		if err := os.WriteFile(filepath.Join(dir, DatabaseFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, true); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	})
	t.Run("OK/closed stays closed", func(t *testing.T) {
		s := openStore(t, t.TempDir())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UserByID(t.Context(), 1); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if _, err := s.RevokeToken(t.Context(), TokenID{}, ""); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

// TestClassifySQLite: a fault of the database is explained and makes it unavailable; anything else
// stays as it is.
func TestClassifySQLite(t *testing.T) {
	fault := func(code sqlite3.ErrNo) error {
		return fmt.Errorf("query: %w", sqlite3.Error{Code: code})
	}
	for want, err := range map[string]error{
		"has locked it":         fault(sqlite3.ErrBusy),
		"the disk is full":      fault(sqlite3.ErrFull),
		"is read-only":          fault(sqlite3.ErrReadonly),
		"cannot be opened":      fault(sqlite3.ErrCantOpen),
		"disk reports":          fault(sqlite3.ErrIoErr),
		"Restore a backup":      fault(sqlite3.ErrCorrupt),
		"SQLite reports":        fault(sqlite3.ErrMisuse),
		"locked it for too":     context.DeadlineExceeded,
		sql.ErrConnDone.Error(): sql.ErrConnDone,
	} {
		got := (&sqlite{}).classify(err)
		if !errors.Is(got, ErrUnavailable) || !errors.Is(got, err) ||
			!strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v, want %q", err, got, want)
		}
	}
	for _, err := range []error{nil, ErrNotFound, errClosed, fault(sqlite3.ErrConstraint)} {
		if got := (&sqlite{}).classify(err); got != err { //nolint:errorlint // the very same
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestVacuum: a database that another program vacuums is not taken for one that is cut short.
func TestVacuum(t *testing.T) {
	onSQLite(t)
	dir := t.TempDir()
	s := openStore(t, dir)
	for n := range 500 {
		newUser(t, s, fmt.Sprintf("user%d@example.com", n))
	}
	path := filepath.Join(dir, DatabaseFile)
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sizes := []int64{}
	for _, statement := range []string{"PRAGMA wal_checkpoint(TRUNCATE)",
		"DELETE FROM users WHERE id > 1", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("after %s: %v", statement, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
	}
	newUser(t, s, "a@b.cn")
	if sizes[3] >= sizes[0] {
		t.Errorf("the file did not shrink: %v", sizes)
	}
}
