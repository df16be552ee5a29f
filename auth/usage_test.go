package auth

import (
	"testing"
	"time"

	"latchkey/models"
)

// TestLastUse: the last use of a token is known here at once, elsewhere after it was stored, and it
// is stored regularly and when Run ends.
func TestLastUse(t *testing.T) { frozenWithFollower(t, testLastUse) }

func testLastUse(t *testing.T) {
	here, there, _ := newPair(t, Options{})
	stop := run(t, here)
	user := register(t, here, "ann@example.com")
	token := mustLogin(t, here, user.Account)
	check := func(what string, a *Authority, want int64) {
		t.Helper()
		tokens, err := a.Tokens(t.Context(), models.TokenFilter{UID: user.ID, Limit: 9})
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%v, %v", tokens, err)
		}
		if got := tokens[0].UsedAt; got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	check("before the first use", here, 0)
	time.Sleep(time.Minute)
	mustVerify(t, here, "the token", token.Token)
	first := time.Now().Unix()
	check("here", here, first)
	time.Sleep(flushEvery + time.Second)
	check("elsewhere, after a flush", there, first)
	mustVerify(t, here, "the token", token.Token)
	last := time.Now().Unix()
	stop()
	check("elsewhere, after a stop", there, last)
}

// TestUseIsNotLost: what cannot be stored is kept.
func TestUseIsNotLost(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	token := mustLogin(t, a, "ann@example.com")
	mustVerify(t, a, "the token", token.Token)
	must(t, a.store.Close())
	if err := a.used.flush(t.Context(), a.store); err == nil {
		t.Error("a flush to a closed store succeeded")
	}
	if a.used.last(token.Identity.TokenID, 0) == 0 {
		t.Error("the use is lost")
	}
}
