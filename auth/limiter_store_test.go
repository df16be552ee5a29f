package auth

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"latchkey/models"
	"latchkey/models/postgrestest"
)

// TestLimiterSurvivesRestart: failed attempts are stored before the response. A clock that was set
// back since then does not lengthen a wait.
func TestLimiterSurvivesRestart(t *testing.T) { frozen(t, testLimiterSurvivesRestart) }

func testLimiterSurvivesRestart(t *testing.T) {
	const ann, bob = "ann@example.com", "bob@example.com"
	first, _, restart := newPair(t, Options{AccountAttempts: 3, NetworkAttempts: 6})
	register(t, first, ann)
	exhaust(t, first, ann, "192.0.2.1")
	_, _, err := first.attempt(t, bob, "wrong-1", "192.0.2.1")
	if !errors.Is(err, ErrUnknownAccount) {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)
	second := restart()
	_, wait, err := second.attempt(t, ann, "secret1", "192.0.2.1")
	if !errors.Is(err, ErrTooManyAttempts) || wait != 6*time.Second {
		t.Errorf("%v, wait %v, want 6s", err, wait)
	}
	if left, _, err := second.attempt(t, bob, "wrong-1", "192.0.2.1"); left != 1 {
		t.Errorf("another account: %d left, %v, want 1", left, err)
	}
	if _, _, err := second.attempt(t, ann, "secret1", "192.0.2.2"); err != nil {
		t.Errorf("another network: %v", err)
	}
	ahead := time.Now().AddDate(1, 0, 0)
	key := second.limiter.keysFor("192.0.2.3", ann)[0].bucket
	must(t, second.store.RecordFailures(t.Context(), []models.Failures{{Key: key[:],
		FailedAt: ahead.UnixMilli(), ClearsAt: ahead.Add(24 * time.Hour).UnixMilli()}},
		func(models.Failures) {}))
	_, wait, err = restart().attempt(t, ann, "secret1", "192.0.2.3")
	if !errors.Is(err, ErrTooManyAttempts) || wait != 10*time.Second {
		t.Errorf("counted by a clock a year ahead: %v, wait %v, want 10s", err, wait)
	}
}

// TestLimiterMemory: 200,000 names from ten thousand networks need at most 16 MiB. They displace
// neither the bucket of their network nor one in use.
func TestLimiterMemory(t *testing.T) { frozen(t, testLimiterMemory) }

func testLimiterMemory(t *testing.T) {
	if postgrestest.Asked() {
		t.Skip("only for SQLite: the memory is the same, but each attempt queries PostgreSQL")
	}
	l := newAuthority(t, Options{}).limiter
	exhaust := func(keys []limitKey) bool {
		attempt, err := l.reserve(t.Context(), keys)
		if err != nil {
			return false
		}
		attempt.settle(func(key limitKey, b *bucket) {
			b.clearsAt, b.failedAt = l.now()+key.limit.window, l.now()
		})
		return true
	}
	inUse := l.keysFor("192.0.2.1", "ann@example.com")
	if !exhaust(inUse) {
		t.Fatal("the first attempt is rejected")
	}
	before := heap()
	for n := range 200_000 {
		address := fmt.Sprintf("10.0.%d.%d", n%10_000/250, n%250)
		exhaust([]limitKey{l.limitKey(l.accounts, "account", address, strconv.Itoa(n))})
		if n%10_000 == 0 && exhaust(inUse) {
			t.Fatalf("after %d names another attempt is allowed", n)
		}
	}
	used := heap() - before
	t.Logf("%d buckets need %.1f MiB", l.buckets.Len(), float64(used)/(1<<20))
	if used > 16<<20 || l.buckets.Len() != maxBuckets {
		t.Errorf("%d buckets need %d bytes, want %d and at most 16 MiB", l.buckets.Len(), used,
			maxBuckets)
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestRejectedAttemptsAddNoBuckets: otherwise a guesser could displace buckets.
func TestRejectedAttemptsAddNoBuckets(t *testing.T) {
	frozen(t, func(t *testing.T) {
		a := newAuthority(t, Options{NetworkAttempts: 2})
		register(t, a, "ann@example.com")
		for n := range 100 {
			_, _, _ = a.attempt(t, fmt.Sprintf("nobody%d@example.com", n), "wrong-1", "192.0.2.1")
		}
		const want = 6 // two accounts and their network, each in two widths
		if got := a.limiter.buckets.Len(); got != want {
			t.Errorf("%d buckets, want %d", got, want)
		}
		_, _, err := a.attempt(t, "ann@example.com", "secret1", "192.0.2.2")
		if got := a.limiter.buckets.Len(); err != nil || got != want {
			t.Errorf("after a successful attempt: %d buckets, %v, want %d", got, err, want)
		}
	})
}

// TestMergeStoredCounts: of several processes on one store each counts a failed attempt once, however
// its queries and those of parallel attempts overlap.
func TestMergeStoredCounts(t *testing.T) { frozen(t, testMergeStoredCounts) }

func testMergeStoredCounts(t *testing.T) {
	l := newAuthority(t, Options{AccountAttempts: 5}).limiter
	keys := l.keysFor("127.0.0.1", "ann@example.com")
	key := keys[0].bucket
	stored := func(failures int) map[bucketKey]models.Failures {
		now, clears := time.Now(), time.Duration(failures)*keys[0].limit.interval()
		return map[bucketKey]models.Failures{key: {Key: key[:], FailedAt: now.UnixMilli(),
			ClearsAt: now.Add(clears).UnixMilli()}}
	}
	fail := func() { // two attempts in parallel: the second reads the store before the first ends
		attempt, err := l.reserve(t.Context(), keys)
		must(t, err)
		counted, err := attempt.record(t.Context(), time.Now(), l.now())
		must(t, err)
		before := l.snapshot(keys)
		l.merge(keys, before, stored(failuresIn(t, l, key)))
		attempt.settle(func(_ limitKey, b *bucket) { b.failStored(counted[key], l.now()) })
	}
	requireFailures := func(what string, want int) {
		t.Helper()
		if got := l.find(keys)[0].failures(keys[0].limit, l.now()); got != want {
			t.Errorf("%s: %d failures, want %d", what, got, want)
		}
	}
	fail()
	requireFailures("an attempt that is stored and pending", 1)
	before := l.snapshot(keys)
	must(t, l.store.DeleteFailures(t.Context(), key[:])) // a successful login on another node
	l.merge(keys, before, nil)
	fail()
	l.merge(keys, before, nil) // by a query that took longer than the one before
	requireFailures("a query from before the last attempt", 1)
}

// failuresIn returns the number of failures that the store counts.
func failuresIn(t *testing.T, l *loginLimiter, key bucketKey) (failures int) {
	t.Helper()
	must(t, l.store.FailuresByKey(t.Context(), [][]byte{key[:]}, func(f models.Failures) {
		failures = int((f.ClearsAt - f.FailedAt) / l.accounts.interval().Milliseconds())
	}))
	return failures
}
