package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDatabaseReplaced removes, replaces or truncates the database file of a running server. The
// server acknowledges nothing from then on and is not ready.
func TestDatabaseReplaced(t *testing.T) {
	t.Parallel()
	truncate := func(by int64) func(path string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, max(0, info.Size()-by))
		}
	}
	for name, change := range map[string]func(path string) error{
		"removed":               os.Remove,
		"moved":                 func(path string) error { return os.Rename(path, path+".old") },
		"emptied":               truncate(1 << 40),
		"truncated by 3 pages":  truncate(3 * 4096),
		"truncated by one page": truncate(4096),
		"truncated by one byte": truncate(1),
		"replaced": func(path string) error {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".restored", content, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".restored", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), append(cheapHashes, "--revocation-lag", "1s")...)
			token := account(t, s, "ann@example.com")
			must(t, s.stop(t)) // moves everything from the write-ahead log into the file
			s = start(t, s.Dir, append(cheapHashes, "--revocation-lag", "1s")...)
			must(t, change(filepath.Join(s.Dir, "latchkey.db")))
			body := registerJSON("bob@example.com")
			checkStatus(t, "registration", requestOnce(t, "POST", s.URL+"/v1/client/register", body, asJSON),
				503)
			checkStatus(t, "revocation", requestOnce(t, "DELETE", s.URL+"/v1/token", "", bearer(token)), 503)
			checkStatus(t, "readyz", requestOnce(t, "GET", s.URL+"/readyz", ""), 503)
			await(t, "tokens to be answered with 503", func() bool {
				return requestOnce(t, "GET", s.URL+"/v1/user", "", bearer(token)).Status == 503
			})
			body = strings.ReplaceAll(body, "bob", "cyd")
			got := requestOnce(t, "POST", s.URL+"/v1/client/register", body, asJSON)
			checkStatus(t, "second registration", got, 503)
			if !strings.Contains(s.out.String(), "was removed, replaced or cut") {
				t.Errorf("the log does not name the cause: %s", s.out)
			}
		})
	}
}

// TestLockedIsNotDamaged locks the database from another program. The command's error says
// "locked", not "damaged".
func TestLockedIsNotDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addUser(t, dir, "ann@example.com")
	db, err := sql.Open("sqlite3", filepath.Join(dir, "latchkey.db"))
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	began := time.Now()
	_, message, code := latchkey(t, dir, "", "user", "list")
	if code != 1 || strings.Contains(message, "damaged") || !strings.Contains(message, "locked") {
		t.Errorf("exit %d after %v: %q, want exit 1 and \"locked\"", code, time.Since(began), message)
	}
}
