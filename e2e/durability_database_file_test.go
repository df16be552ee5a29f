package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDatabaseReplaced: a server whose database file was removed, replaced or cut acknowledges nothing and is not
// ready.
func TestDatabaseReplaced(t *testing.T) {
	cut := func(by int64) func(path string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, max(0, info.Size()-by))
		}
	}
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"emptied": cut(1 << 40), "cut by three pages": cut(3 * 4096), "cut by a page": cut(4096), "cut by a byte": cut(1),
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
			must(t, s.stop(t)) // by which everything comes from the log into the file
			s = start(t, s.Dir, append(cheapHashes, "--revocation-lag", "1s")...)
			must(t, spoil(filepath.Join(s.Dir, "latchkey.db")))
			body := `{"account":"bob@example.com","secret":"secret1","type":100,"nickname":"Bob"}`
			if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 503 {
				t.Errorf("register: %d %s", got.Status, got.Body)
			}
			if got := request(t, "DELETE", s.URL+"/v1/token", "", bearer(token)); got.Status != 503 {
				t.Errorf("ending a token: %d %s", got.Status, got.Body)
			}
			if got := request(t, "GET", s.URL+"/readyz", ""); got.Status != 503 {
				t.Errorf("readyz: %d %s", got.Status, got.Body)
			}
			await(t, "tokens to be refused", func() bool { return statusOf(t, s, token) == 503 })
			body = strings.ReplaceAll(body, "bob", "cyd")
			if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 503 {
				t.Errorf("register again: %d %s", got.Status, got.Body)
			}
			if !strings.Contains(s.out.String(), "was removed, replaced or cut") {
				t.Errorf("the log does not say why: %s", s.out)
			}
		})
	}
}

// TestLockedIsNotDamaged: a database that another program keeps locked is not called damaged.
func TestLockedIsNotDamaged(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "secret1\n", "user", "add", "ann@example.com", "--nickname", "Ann", "--secret-stdin")
	db, err := sql.Open("sqlite3", filepath.Join(dir, "latchkey.db"))
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	began := time.Now()
	_, said, code := latchkey(t, dir, "", "user", "list")
	if code != 1 || strings.Contains(said, "damaged") || !strings.Contains(said, "locked") {
		t.Errorf("exit %d after %v: %s", code, time.Since(began), said)
	}
}
