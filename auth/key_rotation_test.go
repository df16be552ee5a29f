package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// keyStates returns the keys of an Authority as "id state tokens", newest first.
func keyStates(t *testing.T, a *Authority) string {
	t.Helper()
	keys, err := a.Keys(t.Context())
	must(t, err)
	var states []string
	for _, k := range keys {
		states = append(states, fmt.Sprintf("%d %s %d", k.ID, k.State, k.Use.Tokens))
	}
	return strings.Join(states, ", ")
}

// TestRotation: maintenance rotates a key when it is due. No token is rejected because of it. The
// old key is deleted once its last token has expired.
func TestRotation(t *testing.T) { frozen(t, testRotation) }

func testRotation(t *testing.T) {
	a := newAuthority(t, Options{KeyRotation: 4 * time.Hour, TokenTTL: time.Hour, Lag: 10 * time.Second})
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { a.maintenance.run(ctx) })
	defer wait.Wait()
	defer stop()
	sleep := func(d time.Duration) {
		t.Helper()
		time.Sleep(d)
		must(t, a.follower.refresh(t.Context()))
	}
	check := func(when, want string) {
		t.Helper()
		if got := keyStates(t, a); got != want {
			t.Errorf("%s: keys %s, want %s", when, got, want)
		}
	}
	register(t, a, "ann@example.com")
	old := mustLogin(t, a, "ann@example.com")
	check("at first", "1 signs 1")
	sleep(4*time.Hour + 5*time.Second)
	mustReject(t, a, "the first token", old.Token, wire.ErrTokenExpired)
	old = mustLogin(t, a, "ann@example.com")
	check("when the rotation is due", "2 waits 0, 1 signs 1")
	sleep(2 * time.Minute) // with a shared store the delay is a minute longer
	mustVerify(t, a, "a token of the old key", old.Token)
	mustVerify(t, a, "a token of the new key", mustLogin(t, a, "ann@example.com").Token)
	check("after the delay", "2 signs 1, 1 verifies 1")
	sleep(3*time.Hour + 30*time.Minute)
	check("when the tokens of the old key have expired", "2 signs 0")
}

// TestRetire: the tokens of a retired key are rejected at once here, after a refresh elsewhere, and
// after a restart.
func TestRetire(t *testing.T) { frozen(t, testRetire) }

func testRetire(t *testing.T) {
	here, there, again := newPair(t, Options{})
	register(t, here, "ann@example.com")
	old := mustLogin(t, here, "ann@example.com")
	mustVerify(t, there, "elsewhere, before", old.Token)
	if err := here.RetireKey(t.Context(), 1, false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("a key in use: %v, want ErrKeyInUse", err)
	}
	if err := here.RetireKey(t.Context(), 7, true); !errors.Is(err, models.ErrNotFound) {
		t.Errorf("an unknown key: %v, want ErrNotFound", err)
	}
	must(t, here.RetireKey(t.Context(), 1, true))
	mustReject(t, here, "here", old.Token, errSignature)
	// A process that does not know it yet cannot issue a token of the retired key.
	fresh := mustLogin(t, there, "ann@example.com")
	mustVerify(t, here, "a token issued elsewhere before its refresh", fresh.Token)
	must(t, there.follower.refresh(t.Context()))
	mustReject(t, there, "elsewhere", old.Token, errSignature)
	restarted := again()
	mustReject(t, restarted, "after a restart", old.Token, errSignature)
	mustVerify(t, restarted, "the new token after a restart", fresh.Token)
}
