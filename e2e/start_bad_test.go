package e2e_test

import (
	"crypto/sha256"
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

// TestBadStart: a data directory that cannot be served stops the start with one clear line within a second and stays
// as it was; so do the other commands.
func TestBadStart(t *testing.T) {
	ways := append(badDatabases(), badSecrets()...)
	t.Logf("%d ways", len(ways))
	origin := t.TempDir()
	addUser(t, origin, "a@b.cn")
	for _, bad := range ways {
		t.Run(bad.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d") // short enough for a socket in it
			copyData(t, origin, dir)
			secret := filepath.Join(dir, "secret")
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

func TestBusyPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	_, said, code := latchkey(t, dir, "", "serve", "--addr", taken.Addr().String())
	if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "is already in use: choose another with --addr") {
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
