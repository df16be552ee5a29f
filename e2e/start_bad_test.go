package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
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

// badStart is one way in which a data directory with an account can be wrong: what is done to it, and what the one
// line must say.
type badStart struct {
	name  string
	spoil func(t *testing.T, dir, db, secret string)
	says  string
}

// badDatabases are the ways in which the database can be wrong.
func badDatabases() []badStart {
	bad := []badStart{
		{"newer database", func(t *testing.T, _, db, _ string) {
			execSQL(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		}, "newer Latchkey"},
		{"missing database", func(t *testing.T, _, db, _ string) { must(t, os.Remove(db)) }, "missing or empty"},
		{"moved database", func(t *testing.T, _, db, _ string) { must(t, os.Rename(db, db+".old")) }, "missing or empty"},
		{"database is a directory", func(t *testing.T, _, db, _ string) {
			must(t, os.Remove(db))
			must(t, os.Mkdir(db, 0o700))
		}, "directory"},
		{"database is a dangling link", func(t *testing.T, _, db, _ string) {
			must(t, os.Remove(db))
			must(t, os.Symlink("nowhere", db))
		}, "missing or empty"},
		{"spoilt database", func(t *testing.T, _, db, _ string) { spoil(t, db) }, "damaged"},
		{"no database", func(t *testing.T, _, db, _ string) {
			must(t, os.WriteFile(db, []byte(strings.Repeat("text", 100)), 0o600))
		}, "not a Latchkey database"},
		{"somebody else's database", func(t *testing.T, _, db, _ string) {
			must(t, os.Remove(db))
			execSQL(t, db, "CREATE TABLE notes (n INTEGER)")
		}, "not a Latchkey database"},
	}
	for size, says := range map[int64]string{0: "missing or empty", 1: "damaged", 50: "damaged", 99: "damaged",
		100: "damaged", 4095: "damaged", 4096: "damaged", 20000: "damaged", 40960: "damaged", -4096: "damaged",
		-1: "damaged"} {
		bad = append(bad, badStart{fmt.Sprintf("database cut to %d bytes", size), func(t *testing.T, _, db, _ string) {
			info, err := os.Stat(db)
			must(t, err)
			must(t, os.Truncate(db, (size+info.Size())%info.Size()))
		}, says})
	}
	return bad
}

// badSecrets are the ways in which the secret can be wrong.
func badSecrets() []badStart {
	key := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	text := func(n int) string { return base64.StdEncoding.EncodeToString(key[:n]) }
	var bad []badStart
	add := func(name, says string, spoil func(t *testing.T, secret string)) {
		bad = append(bad, badStart{name, func(t *testing.T, _, _, secret string) { spoil(t, secret) }, says})
	}
	content := func(name, says, text string) {
		add(name, says, func(t *testing.T, secret string) { must(t, os.WriteFile(secret, []byte(text), 0o600)) })
	}
	instead := func(name, says string, put func(secret string) error) {
		add(name, says, func(t *testing.T, secret string) {
			must(t, os.Rename(secret, secret+".old"))
			must(t, put(secret))
		})
	}
	content("empty secret", "empty", "")
	content("secret is a line end", "empty", "\n")
	for n := 1; n <= len(key); n++ {
		if n != 32 {
			content(fmt.Sprintf("secret of %d bytes", n), fmt.Sprintf("holds %d bytes, not 32", n), text(n))
		}
	}
	content("wrong secret", "does not open", text(32))
	for name, raw := range map[string]string{"zero": "\x00", "all ones": "\xff", "repeated": "a"} {
		content(name+" secret", "same byte", base64.StdEncoding.EncodeToString([]byte(strings.Repeat(raw, 32)))+"\n")
	}
	url := base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xfb\xff", 16)))
	for name, spelled := range map[string]string{
		"in two lines": text(32)[:20] + "\r\n" + text(32)[20:], "with CRLF": text(32) + "\r\n",
		"with two line ends": text(32) + "\n\n", "with a space before": " " + text(32), "with a space after": text(32) + " ",
		"with a mark of byte order": "\xef\xbb\xbf" + text(32), "with a zero byte": text(32) + "\x00",
		"without padding": strings.TrimRight(text(32), "="), "with spare bits": text(32)[:42] + "3=",
		"in quotes":           `"` + text(32) + `"`,
		"of another alphabet": url, "raw": string(key[:31]) + "\xfe", "a word": "change me",
		"commented": "# the secret\n" + text(32), "with a name": "secret=" + text(32),
	} {
		content("secret "+name, "one line of base64", spelled)
	}
	content("secret of a megabyte", "not 32", strings.Repeat("A", 1<<20))
	content("secret of a word", "holds 6 bytes", "changeme")
	content("secret in hexadecimal", "holds 48 bytes", hex.EncodeToString(key[:32]))
	for _, mode := range []os.FileMode{0o644, 0o660, 0o640, 0o604, 0o601, 0o610, 0o666, 0o777} {
		add(fmt.Sprintf("secret of mode %04o", mode), fmt.Sprintf("%04o", mode), func(t *testing.T, secret string) {
			must(t, os.Chmod(secret, mode))
		})
	}
	if os.Geteuid() == 0 { // nobody else can give a file away
		add("secret of another user", "another user", func(t *testing.T, secret string) {
			must(t, os.Chown(secret, 65534, 65534))
		})
	}
	instead("missing secret", "missing", func(string) error { return nil })
	instead("secret is a directory", "not a regular file", func(p string) error { return os.Mkdir(p, 0o700) })
	instead("secret is a pipe", "not a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) })
	instead("secret is a device", "not a regular file", func(p string) error { return os.Symlink("/dev/zero", p) })
	instead("secret is a dangling link", "missing", func(p string) error { return os.Symlink("nowhere", p) })
	instead("secret is a link to itself", "too many levels", func(p string) error { return os.Symlink("secret", p) })
	instead("secret is a link to what others can read", "0644", func(p string) error {
		return errors.Join(os.Chmod(p+".old", 0o644), os.Symlink("secret.old", p))
	})
	instead("secret is a socket", "not a regular file", func(p string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	})
	return bad
}

// TestBadStart: a data directory that cannot be served stops the start with one clear line within a second and stays
// as it was; so do the other commands.
func TestBadStart(t *testing.T) {
	ways := append(badDatabases(), badSecrets()...)
	t.Logf("%d ways", len(ways))
	origin := t.TempDir()
	mustRun(t, origin, "secret1\n", "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin")
	for _, bad := range ways {
		t.Run(bad.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d") // short enough for a socket in it
			must(t, os.CopyFS(dir, os.DirFS(origin)))
			must(t, os.Chmod(dir, 0o700))
			secret := filepath.Join(dir, "secret")
			must(t, os.Chmod(secret, 0o600))
			key, err := os.ReadFile(secret)
			must(t, err)
			bad.spoil(t, dir, filepath.Join(dir, "latchkey.db"), secret)
			keys := []string{string(key)}
			if info, err := os.Stat(secret); err == nil && info.Mode().IsRegular() {
				spoilt, err := os.ReadFile(secret)
				must(t, err)
				keys = append(keys, string(spoilt))
			}
			before := fingerprint(t, dir)
			for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"token", "issue", "a@b.cn"}} {
				began := time.Now()
				out, said, code := latchkey(t, dir, "", args...)
				took := time.Since(began)
				if code != 1 || out != "" || strings.Count(said, "\n") != 1 || took > time.Second {
					t.Errorf("%s: exit %d after %v, %q, %q, want one line", args[0], code, took, out, said)
				}
				if args[0] == "serve" && !strings.Contains(said, bad.says) {
					t.Errorf("%q, want %q in it", said, bad.says)
				}
				if shows(said, keys) {
					t.Errorf("a part of the secret is shown: %q", said)
				}
				if after := fingerprint(t, dir); after != before {
					t.Errorf("the directory changed:\n%s\n%s", before, after)
				}
			}
		})
	}
}

// TestSecretSpoiltMeanwhile: whatever becomes of the secret's file while the server runs, it goes on with the keys that
// it has, and a command that needs the file says so and changes nothing.
func TestSecretSpoiltMeanwhile(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	secret, db := filepath.Join(s.Dir, "secret"), filepath.Join(s.Dir, "latchkey.db")
	whole, err := os.ReadFile(secret)
	must(t, err)
	for _, bad := range badSecrets() {
		bad.spoil(t, s.Dir, db, secret)
		if _, said, code := latchkey(t, s.Dir, "", "key", "rotate"); code != 1 || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: key rotate: exit %d, %q", bad.name, code, said)
		}
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("%s: a token: %d", bad.name, got)
		}
		if got := statusOf(t, s, login(t, s, "ann@example.com")); got != 200 {
			t.Errorf("%s: a new token: %d", bad.name, got)
		}
		must(t, os.RemoveAll(secret))
		_ = os.RemoveAll(secret + ".old")
		must(t, os.WriteFile(secret, whole, 0o600))
		must(t, os.Chmod(secret, 0o600))
		must(t, os.Chown(secret, os.Getuid(), os.Getgid()))
		must(t, os.Chmod(s.Dir, 0o700))
	}
	must(t, s.stop(t))
	must(t, start(t, s.Dir, cheapHashes...).stop(t))
	if strings.Contains(s.out.String(), "level=ERROR") {
		t.Errorf("the log: %s", s.out)
	}
}

// shows says whether a text holds eight bytes in a row of one of the keys.
func shows(text string, keys []string) bool {
	for _, key := range keys {
		for i := 0; i+8 <= min(len(key), 1000); i++ {
			if strings.Contains(text, key[i:i+8]) {
				return true
			}
		}
	}
	return false
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
