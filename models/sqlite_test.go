package models

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestParameters: every $n becomes ?n, and each query numbers its parameters in the order of appearance.
func TestParameters(t *testing.T) {
	if got := (&sqlite{}).rebind("SELECT $2, $1"); got != "SELECT ?2, ?1" {
		t.Errorf("%q", got)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal, parameter := regexp.MustCompile("`[^`]*`|\"[^\"\n]*\""), regexp.MustCompile(`\$(\d+)`)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, query := range literal.FindAllString(string(raw), -1) {
			highest := 0
			for _, m := range parameter.FindAllStringSubmatch(query, -1) {
				var n int
				if _, err := fmt.Sscan(m[1], &n); err != nil || n > highest+1 {
					t.Errorf("%s: %s", file, query)
				}
				highest = max(highest, n)
			}
		}
	}
}

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
		if _, err := s.RevokeToken(t.Context(), TokenID{}, ""); err == nil {
			t.Error("a write on a closed store succeeded")
		}
	})
}

// TestVacuum: a database that another program vacuums is not taken for one that was cut.
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
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	sizes := []int64{}
	for _, statement := range []string{"PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM users WHERE id > 1", "VACUUM",
		"PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("after %s: %v", statement, err)
		}
		sizes = append(sizes, size())
	}
	newUser(t, s, "a@b.cn")
	if sizes[3] >= sizes[0] {
		t.Errorf("the file did not shrink: %v", sizes)
	}
}
