package credstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file that only its owner can read, and returns its path.
func write(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tokens.json")
	if err := WriteFile(path, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDamagedFile: a damaged file stays as it is, and the error shows none of its content.
func TestDamagedFile(t *testing.T) {
	for _, content := range []string{`[{"token":"SECRET"`, "", `{"token":"SECRET"}`, "SECRET"} {
		path := write(t, content)
		_, err := New(path).LoginFor(t.Context(), AnyTarget())
		if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), "is damaged") ||
			strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", content, err)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("%q became %q", content, got)
		}
	}
	if _, err := New(t.TempDir()).Logins(); !errors.Is(err, ErrFile) {
		t.Errorf("a directory: %v", err)
	}
	for _, path := range []string{"none", "none/none"} {
		s := New(filepath.Join(t.TempDir(), path))
		if _, err := s.LoginFor(t.Context(), AnyTarget()); !errors.Is(err, ErrNoLogin) {
			t.Errorf("no file: %v", err)
		}
	}
}

// TestWriteFile: the file is replaced, or stays as it is, and nothing else is left.
func TestWriteFile(t *testing.T) {
	path := write(t, "old")
	dir := filepath.Dir(path)
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(dir, nil); err == nil {
		t.Error("a directory was replaced")
	}
	if err := WriteFile(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a file in a directory that does not exist")
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "new" {
		t.Errorf("%q, %v", content, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}
