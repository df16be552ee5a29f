package auth

import (
	"context"
	"errors"
	"math/rand/v2"
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
	must(t, err)
	return b
}

// ask verifies account and password, and counts the hashes.
func (b *Bridge) ask(
	t testing.TB, account, password string,
) (i Identity, hashes int64, err error) {
	t.Helper()
	before := b.authority.hasher.made.Load()
	i, err = b.Verify(t.Context(), BasicCredential{User: account, Password: password}, "")
	return i, b.authority.hasher.made.Load() - before, err
}

// TestBridge: the right password costs one hash once. A wrong one costs one hash each time, whether
// or not the account exists.
func TestBridge(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	b := newBridge(t, a)
	invalid := wire.ErrTokenInvalid
	steps := []struct {
		name, account, password string
		hashes                  int64
		err                     error
	}{
		{"OK/first", "ann@example.com", "secret1", 1, nil},
		{"OK/again", "ann@example.com", "secret1", 0, nil},
		{"OK/another spelling", "ANN@example.com", "secret1", 1, nil},
		{"Err/wrong password", "ann@example.com", "secret2", 1, invalid},
		{"Err/wrong password again", "ann@example.com", "secret2", 1, invalid},
		{"Err/unknown account", "bob@example.com", "secret1", 1, invalid},
		{"Err/unknown account again", "bob@example.com", "secret1", 1, invalid},
		{"Err/no password", "ann@example.com", "", 0, invalid},
		{"Err/no account", "", "secret1", 0, invalid},
		{"Err/too long", "ann@example.com", string(make([]byte, MaxPassword+1)), 0, invalid},
		{"OK/still", "ann@example.com", "secret1", 0, nil},
	}
	for _, step := range steps {
		i, hashes, err := b.ask(t, step.account, step.password)
		if !errors.Is(err, step.err) || hashes != step.hashes {
			t.Errorf("%s: %v after %d hashes, want %v after %d", step.name, err, hashes, step.err,
				step.hashes)
		}
		if err == nil && (i.UID != user.ID || i.Scope != models.UserScope ||
			i.ClientType != models.EMail || i.HasToken()) {
			t.Errorf("%s: %+v", step.name, i)
		}
	}
}

// TestBridgeSeesChanges: the next request sees a change of the account by another process.
func TestBridgeSeesChanges(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	ctx := t.Context()
	changes := []struct {
		name   string
		change func(uid uint32) error
		scope  models.Scope // after it, with the same password; 0: rejected
	}{
		{"password", func(uid uint32) error { return there.SetPassword(ctx, uid, "secret2") }, 0},
		{"disabled", func(uid uint32) error { return there.Change(ctx, uid, Change{State: new(models.Disabled)}) }, 0},
		{"deleted", func(uid uint32) error { return there.Delete(ctx, uid) }, 0},
		{"role", func(uid uint32) error { return there.Change(ctx, uid, Change{Role: new(models.RoleAdministrator)}) },
			models.AdminScope},
		{"nickname", func(uid uint32) error { return there.SetNickname(ctx, uid, "Other") },
			models.UserScope},
	}
	for _, test := range changes {
		t.Run(test.name, func(t *testing.T) {
			account := test.name + "@example.com"
			user := register(t, here, account)
			b := newBridge(t, here)
			_, _, err := b.ask(t, account, "secret1")
			must(t, err)
			must(t, test.change(user.ID))
			i, _, err := b.ask(t, account, "secret1")
			if (err == nil) != (test.scope != 0) || err == nil && i.Scope != test.scope {
				t.Errorf("%+v, %v, want scope %d", i, err, test.scope)
			}
		})
	}
}

// TestBridgeSeesChangeBack: a password that was replaced and set again within a second is hashed
// again. The one in between is rejected.
func TestBridgeSeesChangeBack(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	user := register(t, here, "ann@example.com")
	b := newBridge(t, here)
	for _, change := range []struct{ from, to string }{{"secret1", "secret2"}, {"secret2", "secret1"}} {
		_, _, err := b.ask(t, user.Account, change.from)
		must(t, err)
		must(t, there.SetPassword(t.Context(), user.ID, change.to))
	}
	if _, hashes, err := b.ask(t, user.Account, "secret1"); err != nil || hashes != 1 {
		t.Errorf("%v after %d hashes, want 1", err, hashes)
	}
	if _, _, err := b.ask(t, user.Account, "secret2"); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("the password in between: %v, want ErrTokenInvalid", err)
	}
}

// TestBridgeCache: a password is cached for bridgeTTL, and the cache has a fixed size.
func TestBridgeCache(t *testing.T) { frozen(t, testBridgeCache) }

func testBridgeCache(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	b := newBridge(t, a)
	for _, step := range []struct {
		sleep  time.Duration
		hashes int64
	}{{0, 1}, {bridgeTTL - time.Nanosecond, 0}, {time.Nanosecond, 1}, {time.Minute, 0}} {
		time.Sleep(step.sleep)
		if _, hashes, err := b.ask(t, "ann@example.com", "secret1"); err != nil || hashes != step.hashes {
			t.Errorf("%v later: %v after %d hashes, want %d", step.sleep, err, hashes, step.hashes)
		}
	}
	for n := range 2 * bridgeSize {
		key := b.keyOf(BasicCredential{"ann@example.com", strconv.Itoa(n)})
		b.cache.Add(key, bridged{uid: user.ID})
	}
	if got := b.cache.Len(); got != bridgeSize {
		t.Errorf("%d cached passwords, want %d", got, bridgeSize)
	}
}

// TestBridgeInParallel: parallel requests with one password cost at most one hash per slot.
func TestBridgeInParallel(t *testing.T) { frozen(t, testBridgeInParallel) }

func testBridgeInParallel(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	b := newBridge(t, a)
	before := a.hasher.made.Load()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			pair := BasicCredential{"ann@example.com", "secret1"}
			if _, err := b.Verify(context.Background(), pair, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := a.hasher.made.Load() - before; got > int64(Slots()) {
		t.Errorf("%d hashes with %d slots", got, Slots())
	}
}

// TestBridgeKeys: different pairs have different cache keys, wherever the account ends. Another
// Bridge has other keys.
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
			t.Fatalf("%q and %q have the same key", earlier, pair)
		}
		seen[key] = pair
		if key == other.keyOf(pair) {
			t.Fatal("two Bridges have the same key")
		}
	}
}
