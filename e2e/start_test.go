package e2e_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// fingerprint is every file below a directory with its mode and content.
func fingerprint(t *testing.T, dir string) (all string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all += fmt.Sprintf("%s %s", path, info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all += fmt.Sprintf(" %x", sha256.Sum256(content))
		}
		all += "\n"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func execSQL(t testing.TB, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	_, err = db.Exec(statement)
	must(t, err)
	must(t, db.Close())
}

// spoil overwrites the middle of a file with 0xff.
func spoil(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", int(info.Size())-8192)), 4096)
	must(t, err)
	must(t, f.Close())
}

// badStarts are the ways in which a data directory with an account can be wrong: what is done to it, and what
// the one line must say.
func badStarts() map[string]struct {
	spoil func(t *testing.T, dir, db, secret string)
	says  string
} {
	write := func(path, text string) func(*testing.T) {
		return func(t *testing.T) { must(t, os.WriteFile(path, []byte(text), 0o600)) }
	}
	text := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("ab", n)[:n])) }
	return map[string]struct {
		spoil func(t *testing.T, dir, db, secret string)
		says  string
	}{
		"newer database": {func(t *testing.T, _, db, _ string) {
			execSQL(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		}, "newer Latchkey"},
		"empty database":   {func(t *testing.T, _, db, _ string) { must(t, os.Truncate(db, 0)) }, "missing or empty"},
		"missing database": {func(t *testing.T, _, db, _ string) { must(t, os.Remove(db)) }, "missing or empty"},
		"cut database":     {func(t *testing.T, _, db, _ string) { must(t, os.Truncate(db, 50)) }, "damaged"},
		"halved database":  {func(t *testing.T, _, db, _ string) { must(t, os.Truncate(db, 20000)) }, "damaged"},
		"spoilt database":  {func(t *testing.T, _, db, _ string) { spoil(t, db) }, "damaged"},
		"no database": {func(t *testing.T, _, db, _ string) {
			write(db, strings.Repeat("text", 100))(t)
		}, "not a Latchkey database"},
		"somebody else's database": {func(t *testing.T, _, db, _ string) {
			must(t, os.Remove(db))
			execSQL(t, db, "CREATE TABLE notes (n INTEGER)")
		}, "not a Latchkey database"},
		"missing secret": {func(t *testing.T, _, _, secret string) { must(t, os.Remove(secret)) }, "missing"},
		"empty secret":   {func(t *testing.T, _, _, secret string) { write(secret, "")(t) }, "empty"},
		"short secret":   {func(t *testing.T, _, _, secret string) { write(secret, text(31))(t) }, "31 bytes"},
		"long secret":    {func(t *testing.T, _, _, secret string) { write(secret, text(33))(t) }, "33 bytes"},
		"wrong secret":   {func(t *testing.T, _, _, secret string) { write(secret, text(32))(t) }, "does not open"},
		"zero secret": {func(t *testing.T, _, _, secret string) {
			write(secret, base64.StdEncoding.EncodeToString(make([]byte, 32)))(t)
		}, "same byte"},
		"secret in two lines": {func(t *testing.T, _, _, secret string) {
			write(secret, text(32)[:20]+"\r\n"+text(32)[20:])(t)
		}, "one line of base64"},
		"secret for the group": {func(t *testing.T, _, _, secret string) { must(t, os.Chmod(secret, 0o640)) }, "0640"},
		"secret is a directory": {func(t *testing.T, _, _, secret string) {
			must(t, os.Remove(secret))
			must(t, os.Mkdir(secret, 0o700))
		}, "not a regular file"},
		"secret is a pipe": {func(t *testing.T, _, _, secret string) {
			must(t, os.Remove(secret))
			must(t, syscall.Mkfifo(secret, 0o600))
		}, "not a regular file"},
	}
}

// TestBadStart: a data directory that cannot be served stops the start with one clear line and stays as it was.
func TestBadStart(t *testing.T) {
	for name, bad := range badStarts() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustRun(t, dir, "secret1\n", "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin")
			secret := filepath.Join(dir, "secret")
			key, err := os.ReadFile(secret)
			must(t, err)
			bad.spoil(t, dir, filepath.Join(dir, "latchkey.db"), secret)
			before, began := fingerprint(t, dir), time.Now()
			out, said, code := latchkey(t, dir, "", "serve", "--addr", "127.0.0.1:0")
			t.Logf("%v: %s", time.Since(began).Round(time.Millisecond), said)
			if code != 1 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, bad.says) {
				t.Errorf("exit %d, %q, %q, want one line with %q", code, out, said, bad.says)
			}
			if strings.Contains(said, strings.TrimSpace(string(key))) {
				t.Error("the secret is shown")
			}
			if after := fingerprint(t, dir); after != before {
				t.Errorf("the directory changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	_, said, code := latchkey(t, dir, "", "serve", "--addr", taken.Addr().String())
	if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "address already in use") {
		t.Errorf("exit %d: %q", code, said)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a data directory was made: %v", err)
	}
}

// TestForbiddenDirectory runs as an ordinary user where the data directory may not be written.
func TestForbiddenDirectory(t *testing.T) {
	top, err := os.MkdirTemp("", "latchkey-forbidden-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	program := filepath.Join(top, "latchkey")
	content, err := os.ReadFile(binary)
	must(t, err)
	must(t, os.WriteFile(program, content, 0o755))
	readOnly := filepath.Join(top, "read-only")
	must(t, os.Mkdir(readOnly, 0o755))
	must(t, os.Chmod(top, 0o755))
	must(t, os.Chmod(readOnly, 0o555))
	for name, dir := range map[string]string{
		"read-only directory": readOnly, "below a read-only directory": filepath.Join(readOnly, "data"),
		"a file": program,
	} {
		t.Run(name, func(t *testing.T) {
			before := fingerprint(t, top)
			cmd := exec.Command(program, "--data", dir, "serve", "--addr", "127.0.0.1:0")
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			if err == nil || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%v: %q", err, out)
			}
			if after := fingerprint(t, top); after != before {
				t.Errorf("something changed:\n%s\n%s", before, after)
			}
		})
	}
}

// TestCommandsWhileServing: what a command does in another process, the running server follows.
func TestCommandsWhileServing(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	changes := map[string][]string{
		"disable": {"user", "disable", "ACCOUNT"}, "role": {"user", "role", "ACCOUNT", "admin"},
		"passwd": {"user", "passwd", "ACCOUNT", "--secret-stdin"}, "delete": {"user", "delete", "ACCOUNT"},
	}
	for name, args := range changes {
		t.Run(name, func(t *testing.T) {
			account := name + "@example.com"
			mustRun(t, dir, "secret1\n", "user", "add", account, "--nickname", name, "--secret-stdin")
			token := mustRun(t, dir, "", "token", "issue", account)
			if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
				t.Fatalf("status %d", got.Status)
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "ACCOUNT", account)
			}
			mustRun(t, dir, "secret2\n", args...)
			began := time.Now()
			await(t, "the server to refuse the token", func() bool {
				return request(t, "GET", s.URL+"/v1/user", "", basic(token, "")).Status == 401
			})
			t.Logf("refused after %v", time.Since(began).Round(time.Millisecond))
			_, said, code := latchkey(t, dir, "", "token", "inspect", "--", token)
			if code != 0 || said != "" {
				t.Errorf("inspect: exit %d, %q", code, said)
			}
		})
	}
}

// TestProvidedSecret: a first start takes a secret that lies outside the data directory, but only while that one is
// empty: beside anything else a missing database is a loss.
func TestProvidedSecret(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "provided")
	text := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv")) + "\n"
	must(t, os.WriteFile(secret, []byte(text), 0o600))
	dir := filepath.Join(t.TempDir(), "data")
	add := []string{"--secret-file", secret, "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin"}
	mustRun(t, dir, "secret1\n", add...)
	token := mustRun(t, dir, "", "--secret-file", secret, "token", "issue", "a@b.cn")
	if got := mustRun(t, dir, "", "--secret-file", secret, "token", "inspect", token); !strings.HasPrefix(got, "Valid") {
		t.Errorf("%s", got)
	}
	must(t, os.Remove(filepath.Join(dir, "latchkey.db")))
	must(t, os.WriteFile(filepath.Join(dir, "something"), nil, 0o600))
	if _, said, code := latchkey(t, dir, "secret1\n", add...); code != 1 || !strings.Contains(said, "missing or empty") {
		t.Errorf("exit %d: %s", code, said)
	}
}
