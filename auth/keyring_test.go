package auth

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"latchkey/models"
)

// TestKeyRing: a key ring creates a key only while the store has no account, and never replaces the
// keys of other nodes.
func TestKeyRing(t *testing.T) {
	dir, key := newDirectory(t)
	a := openAuthority(t, dir, key, Options{})
	otherDir, otherKey := newDirectory(t)
	otherPath := filepath.Join(otherDir, "secret")
	var want error
	if a.store.Shared() {
		want = ErrMasterKeyWrong
	}
	_, err := LoadKeyRing(t.Context(), a.store, otherKey, otherPath)
	if !errors.Is(err, want) {
		t.Errorf("a lost master key before the first account: %v, want %v", err, want)
	}
	a = openAuthority(t, otherDir, otherKey, Options{})
	register(t, a, "ann@example.com")
	_, err = LoadKeyRing(t.Context(), a.store, key, filepath.Join(dir, "secret"))
	if !errors.Is(err, ErrMasterKeyWrong) {
		t.Errorf("a wrong master key with accounts: %v, want ErrMasterKeyWrong", err)
	}
	if _, err := LoadKeyRing(t.Context(), a.store, otherKey, otherPath); err != nil {
		t.Errorf("the right master key: %v", err)
	}
}

// TestReseal: tokens stay valid under a new master key, running servers pick it up, and an
// interruption at any point does no harm.
func TestReseal(t *testing.T) {
	dir, key := newDirectory(t)
	path := filepath.Join(dir, "secret")
	here, there := openAuthority(t, dir, key, Options{}), openAuthority(t, dir, key, Options{})
	register(t, here, "ann@example.com")
	token := mustLogin(t, here, "ann@example.com").Token
	before := readFile(t, path)
	must(t, here.Reseal(t.Context()))
	after := readFile(t, path)
	if after == before {
		t.Error("the master key is the same")
	}
	if _, err := os.Stat(pendingMasterKey(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pending master key is left: %v", err)
	}
	must(t, there.follower.refresh(t.Context()))
	mustVerify(t, there, "in a running server", token)
	if _, err := there.RotateKey(t.Context()); err != nil {
		t.Errorf("a running server creates a key: %v", err)
	}
	reopen := func(what string) {
		t.Helper()
		key, err := LoadMasterKey(path)
		must(t, err)
		mustVerify(t, openAuthority(t, dir, key, Options{}), what, token)
	}
	reopen("after a restart")
	must(t, os.Rename(path, pendingMasterKey(path)))
	must(t, os.WriteFile(path, []byte(before), 0o600))
	reopen("interrupted between the commit and the rename")
	if readFile(t, path) != after {
		t.Error("the pending master key was not adopted")
	}
	_, err := CreateMasterKey(pendingMasterKey(path))
	must(t, err)
	reopen("interrupted before the commit")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// TestOldMasterKeySealsNothing: a process that does not know the new master key creates no key that
// nobody could open.
func TestOldMasterKeySealsNothing(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	register(t, here, "ann@example.com")
	must(t, here.Reseal(t.Context()))
	if _, err := there.RotateKey(t.Context()); !errors.Is(err, models.ErrChanged) {
		t.Errorf("RotateKey: %v, want ErrChanged", err)
	}
	if err := there.RetireKey(t.Context(), 1, true); !errors.Is(err, models.ErrChanged) {
		t.Errorf("RetireKey: %v, want ErrChanged", err)
	}
	if err := there.Reseal(t.Context()); err == nil {
		t.Error("Reseal with an old master key succeeded")
	}
	must(t, there.follower.refresh(t.Context()))
	if _, err := there.RotateKey(t.Context()); err != nil {
		t.Errorf("RotateKey after a refresh: %v", err)
	}
}
