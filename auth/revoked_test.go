package auth

import (
	"testing"
)

// TestRevocationsTravel: a revoked token is rejected in another process and after a restart.
func TestRevocationsTravel(t *testing.T) {
	here, there, again := newPair(t, Options{})
	register(t, here, "ann@example.com")
	revoked, other := mustLogin(t, here, "ann@example.com"), mustLogin(t, here, "ann@example.com")
	must(t, here.Revoke(t.Context(), revoked.Identity.TokenID, "test"))
	must(t, there.follower.refresh(t.Context()))
	for name, a := range map[string]*Authority{"here": here, "there": there, "restarted": again()} {
		mustReject(t, a, name+": the revoked token", revoked.Token, errRevoked)
		mustVerify(t, a, name+": the other token", other.Token)
	}
}

// TestRevokeDuringOverlap: a renewed token can be revoked at once.
func TestRevokeDuringOverlap(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	old := mustLogin(t, a, "ann@example.com")
	if _, err := a.Renew(t.Context(), old.Identity, Client{}); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, a, "the renewed token", old.Token)
	must(t, a.Revoke(t.Context(), old.Identity.TokenID, "test"))
	mustReject(t, a, "the renewed token, revoked", old.Token, errRevoked)
}
