//go:build !windows

package credstore

import (
	"errors"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFileMode: a file that other users can read is rejected until WriteFile has replaced it.
func TestFileMode(t *testing.T) {
	for _, test := range []struct {
		mode    os.FileMode
		private bool
	}{{0o600, true}, {0o400, true}, {0o604, false}, {0o640, false}, {0o620, false}} {
		path := write(t, "[]")
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		_, err := New(path).Logins()
		if (err == nil) != test.private || err != nil && (!errors.Is(err, ErrFile) ||
			!strings.Contains(err.Error(), "run chmod 600 "+path)) {
			t.Errorf("%v: %v", test.mode, err)
		}
		if err := WriteFile(path, []byte("[]")); err != nil {
			t.Errorf("%v: %v", test.mode, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v became %v, %v", test.mode, info, err)
		}
	}
}

// TestSymbolicLink: the file that a link points to is replaced, and the link stays.
func TestSymbolicLink(t *testing.T) {
	path := write(t, "old")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "new" {
		t.Errorf("%q, %v", content, err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("%q, %v", target, err)
	}
}

// TestFullDisk: if a new token cannot be stored, none is asked for, and the present one returned.
func TestFullDisk(t *testing.T) {
	s := newStore(t, stub(t, func(http.ResponseWriter, *http.Request) { t.Error("a renewal") }))
	dir := filepath.Dir(s.path)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	full := syscall.Rlimit{Cur: 16, Max: limit.Max} // bytes in a file
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	got, err := s.LoginFor(t.Context(), AnyTarget())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err != nil || got.Token != oldToken {
		t.Errorf("%q, %v", got.Token, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 { // the file and its lock
		t.Errorf("left: %v", entries)
	}
}
