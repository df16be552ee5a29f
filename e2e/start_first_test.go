package e2e_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestConcurrentFirstStart runs several commands on an empty data directory at once. They wait for
// each other.
func TestConcurrentFirstStart(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := filepath.Join(t.TempDir(), "data")
		var wait sync.WaitGroup
		for n := range 4 {
			wait.Go(func() {
				name := fmt.Sprintf("user%d@example.com", n)
				_, stderr, code := latchkey(t, dir, "secret1\n", "--argon2-memory", "7168", "user", "add", name,
					"--nickname", "Ann", "--secret-stdin", "--init")
				if code != 0 {
					t.Errorf("user add %s: exit %d, want 0: %s", name, code, stderr)
				}
			})
		}
		wait.Wait()
		if got := strings.Count(mustRun(t, dir, "", "user", "list"), "\n"); got != 4 {
			t.Errorf("user list prints %d users, want 4", got)
		}
	}
}

// TestProvidedMasterKey starts with a master key outside the data directory. The first start works
// while the directory is empty. If it holds other files, a missing database is an error.
func TestProvidedMasterKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "provided")
	text := base64.StdEncoding.EncodeToString([]byte(testKey[:32])) + "\n"
	must(t, os.WriteFile(path, []byte(text), 0o600))
	dir := filepath.Join(t.TempDir(), "data")
	add := []string{"--secret-file", path, "user", "add", "a@b.cn", "--nickname", "Ann",
		"--secret-stdin", "--init"}
	mustRun(t, dir, "secret1\n", add...)
	token := mustRun(t, dir, "", "--secret-file", path, "token", "issue", "a@b.cn")
	got := mustRun(t, dir, "", "--secret-file", path, "token", "inspect", token)
	if !strings.HasPrefix(got, "Valid") {
		t.Errorf("token inspect prints %q, want Valid", got)
	}
	must(t, os.Remove(filepath.Join(dir, "latchkey.db")))
	must(t, os.WriteFile(filepath.Join(dir, "something"), nil, 0o600))
	_, stderr, code := latchkey(t, dir, "secret1\n", add...)
	if code != 1 || !strings.Contains(stderr, "missing or empty") {
		t.Errorf("user add without the database: exit %d, %q, want exit 1 and \"missing or empty\"", code,
			stderr)
	}
}
