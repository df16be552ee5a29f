package auth

import (
	"errors"
	"testing"
	"time"

	"latchkey/models"
)

// TestRun: Run sees a change by another process, and ends with its context.
func TestRun(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	stop := run(t, there)
	user := register(t, here, "ann@example.com")
	token := mustLogin(t, here, user.Account).Token
	must(t, here.Change(t.Context(), user.ID, Change{State: new(models.Disabled)}))
	eventually(func() bool {
		_, err := there.Verify(token)
		return errors.Is(err, errRevoked)
	})
	stop()
}

// TestJoin: a node that joins knows the key that signs now, and no key begins to sign that it does
// not know.
func TestJoin(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	user := register(t, here, "ann@example.com")
	rotate := func(signs bool) {
		t.Helper()
		key, err := here.RotateKey(t.Context())
		must(t, err)
		must(t, here.Join(t.Context()))
		must(t, here.ring.reload(t.Context()))
		if got := here.ring.now.Load().signing(time.Now().Unix()).id == key.ID; got != signs {
			t.Errorf("the new key signs: %v, want %v", got, signs)
		}
	}
	rotate(here.store.Shared()) // at once, because no other node has joined
	must(t, there.Join(t.Context()))
	mustVerify(t, there, "a token of the key that signs", mustLogin(t, here, user.Account).Token)
	if here.store.Shared() {
		rotate(false)
	}
}

// TestStale: no token is valid once the revoked tokens are older than Options.Lag.
func TestStale(t *testing.T) {
	frozen(t, func(t *testing.T) {
		a := newAuthority(t, Options{Lag: time.Minute})
		register(t, a, "ann@example.com")
		token := mustLogin(t, a, "ann@example.com").Token
		time.Sleep(time.Minute)
		mustVerify(t, a, "a minute after the last read", token)
		time.Sleep(time.Nanosecond)
		mustReject(t, a, "later", token, ErrStale)
		if err := a.Ready(); !errors.Is(err, ErrStale) {
			t.Errorf("Ready: %v, want ErrStale", err)
		}
		must(t, a.follower.refresh(t.Context()))
		mustVerify(t, a, "after a refresh", token)
	})
}
