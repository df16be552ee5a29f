package auth

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/models"
)

// TestRevokedWhileClockIsAhead: tokens that are revoked while the clock is ahead stay revoked when
// it is set right, here and after a restart.
func TestRevokedWhileClockIsAhead(t *testing.T) { frozen(t, testRevokedWhileClockIsAhead) }

func testRevokedWhileClockIsAhead(t *testing.T) {
	a, _, again := newPair(t, Options{})
	var users []models.User
	var tokens []Issued
	for _, account := range []string{"a@b.cn", "b@b.cn", "c@b.cn"} {
		users = append(users, register(t, a, account))
		tokens = append(tokens, mustLogin(t, a, account))
	}
	right := time.Now().Unix()
	time.Sleep(3 * time.Hour) // by this clock every token has expired
	must(t, a.Change(t.Context(), users[0].ID, Change{State: new(models.Disabled)}))
	must(t, a.Delete(t.Context(), users[1].ID))
	must(t, a.Revoke(t.Context(), tokens[2].Identity.TokenID, "test"))
	a.maintenance.sweep()
	a.maintenance.purge(t.Context())
	for name, a := range map[string]*Authority{"here": a, "restarted": again()} {
		for i, token := range tokens {
			if !a.revoked.has(token.Identity.TokenID, right) {
				t.Errorf("%s: token %d is not revoked any more", name, i)
			}
		}
	}
}

// TestStartWithClockAhead: a process that starts ten years later, or with its clock ten years
// ahead, and runs for a week, keeps every revocation that counts once the clock is set right. In
// time it deletes them.
func TestStartWithClockAhead(t *testing.T) { frozen(t, testStartWithClockAhead) }

func testStartWithClockAhead(t *testing.T) {
	const week = 7 * 24 * time.Hour
	a, _, again := newPair(t, Options{KeyRotation: time.Hour})
	one, two := register(t, a, "a@b.cn"), register(t, a, "b@b.cn")
	var tokens []Issued
	for _, user := range []models.User{one, two} {
		issued, err := a.IssueFor(t.Context(), IssueRequest{UID: user.ID, TTL: week})
		must(t, err)
		tokens = append(tokens, issued)
	}
	right := time.Now().Unix()
	must(t, a.Revoke(t.Context(), tokens[0].Identity.TokenID, "test"))
	must(t, a.Change(t.Context(), two.ID, Change{State: new(models.Disabled)}))
	remembered := func(a *Authority) (n int) {
		for _, issued := range tokens {
			_, err := a.ring.authenticate(issued.Token)
			if err == nil && a.revoked.has(issued.Identity.TokenID, right) {
				n++
			}
		}
		return n
	}
	time.Sleep(10 * 365 * 24 * time.Hour)
	ahead := again()
	for hour := range int(week / time.Hour) {
		must(t, ahead.maintenance.rotateWhenDue(t.Context()))
		ahead.maintenance.sweep()
		ahead.maintenance.purge(t.Context())
		if n := remembered(ahead); n != len(tokens) {
			t.Fatalf("%d of %d revocations are known after %d hours", n, len(tokens), hour)
		}
		time.Sleep(time.Hour)
	}
	if n := remembered(again()); n != len(tokens) {
		t.Errorf("%d of %d revocations are known after a restart", n, len(tokens))
	}
	for range 3 * 24 {
		time.Sleep(time.Hour)
		ahead.maintenance.purge(t.Context())
		ahead.maintenance.sweep()
	}
	if n := remembered(ahead); n != 0 {
		t.Errorf("%d revocations are never deleted", n)
	}
	_, _, err := ahead.store.RevocationReason(t.Context(), tokens[0].Identity.TokenID)
	if !errors.Is(err, models.ErrNotFound) {
		t.Errorf("the revocation is still stored: %v", err)
	}
}

// TestPurgeFailures: the store keeps at most as many buckets as the memory, and none that counts no
// failure any more.
func TestPurgeFailures(t *testing.T) {
	a := newAuthority(t, Options{})
	var rows []models.Failures
	for n := range 20 {
		rows = append(rows, models.Failures{Key: fmt.Appendf(nil, "%016d", n),
			FailedAt: int64(100 + n), ClearsAt: int64(200_000 + 10_000*n)})
	}
	must(t, a.store.RecordFailures(t.Context(), rows, func(models.Failures) {}))
	must(t, a.store.PurgeFailures(t.Context(), 210, 5))
	var left []int64
	err := a.store.Failures(t.Context(), 0, 100,
		func(f models.Failures) { left = append(left, f.FailedAt) })
	if err != nil || !slices.Equal(left, []int64{114, 115, 116, 117, 118, 119}) {
		t.Errorf("%v, %v", left, err)
	}
}
