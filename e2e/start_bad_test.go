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

// fingerprint returns every file below a directory with its mode and a hash of its content.
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

// overwrite replaces the middle of a file by 0xff.
func overwrite(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("\xff", int(info.Size())-8192)), 4096)
	must(t, err)
	must(t, f.Close())
}

// badStart is one way to break a data directory: the damage to a file of it, and what the error
// must say.
type badStart struct {
	name    string
	file    string // latchkey.db or secret
	damage  func(t *testing.T, path string)
	message string
}

// badDatabases are the ways in which the database file can be wrong.
func badDatabases() (bad []badStart) {
	add := func(name, message string, damage func(t *testing.T, path string)) {
		bad = append(bad, badStart{"database " + name, "latchkey.db", damage, message})
	}
	add("newer", "newer Latchkey", func(t *testing.T, path string) {
		execSQL(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	})
	add("missing", "missing or empty", func(t *testing.T, path string) { must(t, os.Remove(path)) })
	add("moved", "missing or empty", func(t *testing.T, path string) {
		must(t, os.Rename(path, path+".old"))
	})
	add("is a directory", "directory", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, os.Mkdir(path, 0o700))
	})
	add("is a dangling link", "missing or empty", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, os.Symlink("nowhere", path))
	})
	add("overwritten", "damaged", overwrite)
	add("is a text file", "not a Latchkey database", func(t *testing.T, path string) {
		must(t, os.WriteFile(path, []byte(strings.Repeat("text", 100)), 0o600))
	})
	add("of another program", "not a Latchkey database", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		execSQL(t, path, "CREATE TABLE notes (n INTEGER)")
	})
	for _, size := range []int64{0, 1, 50, 99, 100, 4095, 4096, 20000, 40960, -4096, -1} {
		message := "damaged"
		if size == 0 {
			message = "missing or empty"
		}
		add(fmt.Sprintf("truncated to %d bytes", size), message, func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, (size+info.Size())%info.Size()))
		})
	}
	return bad
}

// TestBadStart breaks a data directory in every known way. The server and the other commands fail
// within a second with one line that names the cause, and leave the directory as it was.
func TestBadStart(t *testing.T) {
	t.Parallel()
	ways := append(badDatabases(), badMasterKeys()...)
	t.Logf("%d ways", len(ways))
	origin := t.TempDir()
	addUser(t, origin, "a@b.cn")
	for _, bad := range ways {
		t.Run(bad.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d") // short enough for a socket in it
			copyData(t, origin, dir)
			path := filepath.Join(dir, "secret")
			key, err := os.ReadFile(path)
			must(t, err)
			bad.damage(t, filepath.Join(dir, bad.file))
			keys := []string{string(key)}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				key, err := os.ReadFile(path)
				must(t, err)
				keys = append(keys, string(key))
			}
			bad.check(t, dir, keys)
		})
	}
}

// check runs commands on a broken data directory, whose master keys their errors must not reveal.
func (b badStart) check(t *testing.T, dir string, keys []string) {
	t.Helper()
	before := fingerprint(t, dir)
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"token", "issue", "a@b.cn"}} {
		began := time.Now()
		stdout, stderr, code := latchkey(t, dir, "", args...)
		requireWithin(t, args[0], time.Since(began), time.Second)
		if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want exit 1 and one line", args[0], code, stdout,
				stderr)
		}
		if args[0] == "serve" && !strings.Contains(stderr, b.message) {
			t.Errorf("serve prints %q, want %q in it", stderr, b.message)
		}
		if reveals(stderr, keys) {
			t.Errorf("%s reveals a part of the master key: %q", args[0], stderr)
		}
		if after := fingerprint(t, dir); after != before {
			t.Errorf("%s changed the data directory:\n%s\nbefore:\n%s", args[0], after, before)
		}
	}
}

// TestBusyPort starts the server on an address in use. It fails with one line and creates nothing.
func TestBusyPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	_, stderr, code := latchkey(t, dir, "", "serve", "--addr", taken.Addr().String())
	if code != 1 || strings.Count(stderr, "\n") != 1 ||
		!strings.Contains(stderr, "is already in use: choose another with --addr") {
		t.Errorf("exit %d: %q, want exit 1 and one line that says the address is in use", code, stderr)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory was created: %v", err)
	}
}

// TestForbiddenDirectory starts the server as an ordinary user in a directory that the user cannot
// write. It fails with one line and changes nothing.
func TestForbiddenDirectory(t *testing.T) {
	t.Parallel()
	top, err := os.MkdirTemp("", "latchkey-forbidden-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	program := filepath.Join(top, "latchkey")
	content, err := os.ReadFile(binary)
	must(t, err)
	writeProgram(t, program, content)
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
				t.Errorf("%v: %q, want an error in one line", err, out)
			}
			if after := fingerprint(t, top); after != before {
				t.Errorf("the files changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}
