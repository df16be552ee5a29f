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

// TestConcurrentFirstStart: several commands on an empty data directory wait for each other.
func TestConcurrentFirstStart(t *testing.T) {
	for range 3 {
		dir := filepath.Join(t.TempDir(), "data")
		var wait sync.WaitGroup
		for n := range 4 {
			wait.Go(func() {
				name := fmt.Sprintf("user%d@example.com", n)
				_, said, code := latchkey(t, dir, "secret1\n", "--argon2-memory", "7168", "user", "add", name,
					"--nickname", "Ann", "--secret-stdin", "--init")
				if code != 0 {
					t.Errorf("%s: exit %d: %s", name, code, said)
				}
			})
		}
		wait.Wait()
		if got := strings.Count(mustRun(t, dir, "", "user", "list"), "\n"); got != 4 {
			t.Errorf("%d users", got)
		}
	}
}

// TestProvidedMasterKey: a first start takes a secret that lies outside the data directory, but only while that one is
// empty: beside anything else a missing database is a loss.
func TestProvidedMasterKey(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "provided")
	text := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv")) + "\n"
	must(t, os.WriteFile(secret, []byte(text), 0o600))
	dir := filepath.Join(t.TempDir(), "data")
	add := []string{"--secret-file", secret, "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin", "--init"}
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
