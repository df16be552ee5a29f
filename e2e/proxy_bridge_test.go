package e2e_test

import (
	"testing"
	"time"
)

// TestBridge: with --bridge an account and its secret open /v1/verify, once for a hash and then at once, until the
// account changes, by whichever process.
func TestBridge(t *testing.T) {
	s := start(t, t.TempDir(), "--bridge", "--log-level", "error") // hashes at their full cost
	account(t, s, "ann@example.com")
	verify := func(secret string) (status int, took time.Duration) {
		t.Helper()
		started := time.Now()
		got := request(t, "GET", s.URL+"/v1/verify", "", basic("ann@example.com", secret))
		return got.Status, time.Since(started)
	}
	status, first := verify("secret1")
	if status != 200 {
		t.Fatalf("the first: %d", status)
	}
	var later time.Duration
	const times = 200
	for range times {
		status, took := verify("secret1")
		if later += took; status != 200 {
			t.Fatalf("a later one: %d", status)
		}
	}
	t.Logf("first %v, later %v on average", first, later/times)
	if later/times*3 > first {
		t.Errorf("the first took %v, later ones %v on average: is each one hashed?", first, later/times)
	}
	mustRun(t, s.Dir, "secret2\n", "user", "passwd", "ann@example.com", "--secret-stdin")
	if status, _ := verify("secret1"); status != 401 {
		t.Errorf("the old secret after a change: %d", status)
	}
	if status, _ := verify("secret2"); status != 200 {
		t.Errorf("the new secret: %d", status)
	}
	mustRun(t, s.Dir, "", "user", "disable", "ann@example.com")
	if status, _ := verify("secret2"); status != 401 {
		t.Errorf("a disabled account: %d", status)
	}
	plain := start(t, t.TempDir(), cheapHashes...)
	account(t, plain, "ann@example.com")
	if got := request(t, "GET", plain.URL+"/v1/verify", "", basic("ann@example.com", "secret1")); got.Status != 401 {
		t.Errorf("without --bridge: %d", got.Status)
	}
}
