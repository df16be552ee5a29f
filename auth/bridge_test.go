package auth

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

func newBridge(t testing.TB, a *Authority) *Bridge {
	t.Helper()
	b, err := NewBridge(a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask says whom a pair lets in, and how many hashes that took.
func (b *Bridge) ask(t testing.TB, account, secret string) (i Identity, hashes int64, err error) {
	t.Helper()
	before := b.authority.hasher.made.Load()
	i, err = b.Verify(t.Context(), BasicCredential{User: account, Password: secret}, "")
	return i, b.authority.hasher.made.Load() - before, err
}

// TestBridge: a right pair costs one hash and then none; a wrong one costs one each time, whether or not there is
// such an account.
func TestBridge(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	b := newBridge(t, a)
	steps := []struct {
		name, account, secret string
		hashes                int64
		err                   error
	}{
		{"OK/first", "ann@example.com", "secret1", 1, nil},
		{"OK/again", "ann@example.com", "secret1", 0, nil},
		{"OK/another spelling", "ANN@example.com", "secret1", 1, nil},
		{"wire.ErrTokenInvalid/wrong secret", "ann@example.com", "secret2", 1, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/again", "ann@example.com", "secret2", 1, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/unknown", "bob@example.com", "secret1", 1, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/unknown again", "bob@example.com", "secret1", 1, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/no secret", "ann@example.com", "", 0, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/no account", "", "secret1", 0, wire.ErrTokenInvalid},
		{"wire.ErrTokenInvalid/too long", "ann@example.com", string(make([]byte, MaxPassword+1)), 0, wire.ErrTokenInvalid},
		{"OK/still", "ann@example.com", "secret1", 0, nil},
	}
	for _, step := range steps {
		i, hashes, err := b.ask(t, step.account, step.secret)
		if !errors.Is(err, step.err) || hashes != step.hashes {
			t.Errorf("%s: %v after %d hashes, want %v after %d", step.name, err, hashes, step.err, step.hashes)
		}
		if err == nil && (i.UID != user.ID || i.Scope != models.UserScope || i.ClientType != models.EMail || i.HasToken()) {
			t.Errorf("%s: %+v", step.name, i)
		}
	}
}

// TestBridgeFollowsAccount: what changes an account, in this process or another, is felt by the next request.
func TestBridgeFollowsAccount(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	here := openAuthority(t, dir, secret, Options{})
	other := openAuthority(t, dir, secret, Options{})
	changes := []struct {
		name   string
		change func(uid uint32) error
		scope  models.Scope // after it, with the same secret; 0: refused
	}{
		{"secret", func(uid uint32) error { return other.SetPassword(t.Context(), uid, "secret2") }, 0},
		{"disabled", func(uid uint32) error { return other.SetState(t.Context(), uid, models.Disabled) }, 0},
		{"deleted", func(uid uint32) error { return other.Delete(t.Context(), uid) }, 0},
		{"role", func(uid uint32) error { return other.SetRole(t.Context(), uid, models.RoleAdministrator) },
			models.AdminScope},
		{"nickname", func(uid uint32) error { return other.SetNickname(t.Context(), uid, "Other") },
			models.UserScope},
	}
	for _, test := range changes {
		t.Run(test.name, func(t *testing.T) {
			account := test.name + "@example.com"
			user := register(t, here, account)
			b := newBridge(t, here)
			if _, _, err := b.ask(t, account, "secret1"); err != nil {
				t.Fatal(err)
			}
			if err := test.change(user.ID); err != nil {
				t.Fatal(err)
			}
			i, _, err := b.ask(t, account, "secret1")
			if (err == nil) != (test.scope != 0) || err == nil && i.Scope != test.scope {
				t.Errorf("%+v, %v", i, err)
			}
		})
	}
	b := newBridge(t, here)
	user := register(t, here, "there-and-back@example.com")
	for n, secret := range []string{"secret2", "secret1"} { // two changes within a second: the first secret is back
		if _, _, err := b.ask(t, "there-and-back@example.com", []string{"secret1", "secret2"}[n]); err != nil {
			t.Fatal(err)
		}
		if err := other.SetPassword(t.Context(), user.ID, secret); err != nil {
			t.Fatal(err)
		}
	}
	if _, hashes, err := b.ask(t, "there-and-back@example.com", "secret1"); err != nil || hashes != 1 {
		t.Errorf("%v after %d hashes", err, hashes)
	}
	if _, _, err := b.ask(t, "there-and-back@example.com", "secret2"); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("the secret in between: %v", err)
	}
}

// TestBridgeForgets: a pair is looked at anew after five minutes, and not so many are remembered that memory grows.
func TestBridgeForgets(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	b := newBridge(t, a)
	key := b.keyOf(BasicCredential{"ann@example.com", "secret1"})
	for left, want := range map[time.Duration]int64{time.Minute: 0, -time.Nanosecond: 1} {
		if _, _, err := b.ask(t, "ann@example.com", "secret1"); err != nil {
			t.Fatal(err)
		}
		entry, _ := b.cache.Get(key)
		if kept := time.Until(entry.until); kept > bridgeTTL || kept < bridgeTTL-time.Minute {
			t.Errorf("kept for %v", kept)
		}
		entry.until = time.Now().Add(left)
		b.cache.Add(key, entry)
		if _, hashes, err := b.ask(t, "ann@example.com", "secret1"); err != nil || hashes != want {
			t.Errorf("with %v left: %v after %d hashes, want %d", left, err, hashes, want)
		}
		b.cache.Purge()
	}
	for n := range 2 * bridgeSize {
		b.cache.Add(b.keyOf(BasicCredential{"ann@example.com", strconv.Itoa(n)}), bridged{uid: user.ID})
	}
	if got := b.cache.Len(); got != bridgeSize {
		t.Errorf("%d pairs are remembered", got)
	}
}

// TestBridgeAtOnce: a page with many parts asks many times at once, and costs one hash a slot.
func TestBridgeAtOnce(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	b := newBridge(t, a)
	before := a.hasher.made.Load()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if _, err := b.Verify(t.Context(), BasicCredential{"ann@example.com", "secret1"}, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := a.hasher.made.Load() - before; got > int64(Slots()) {
		t.Errorf("%d hashes with %d slots", got, Slots())
	}
}

// TestBridgeKeys: no two pairs share a name, however their parts run together, and another process names them
// otherwise.
func TestBridgeKeys(t *testing.T) {
	a := newAuthority(t, Options{})
	b, other := newBridge(t, a), newBridge(t, a)
	seen := map[pairKey]BasicCredential{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := make([]byte, random.IntN(6))
		for i := range text {
			text[i] = "ab:\x00"[random.IntN(4)]
		}
		at := random.IntN(len(text) + 1)
		pair := BasicCredential{string(text[:at]), string(text[at:])}
		key := b.keyOf(pair)
		if earlier, ok := seen[key]; ok && earlier != pair {
			t.Fatalf("%q and %q", earlier, pair)
		}
		seen[key] = pair
		if key == other.keyOf(pair) {
			t.Fatal("two bridges have one key")
		}
	}
}
