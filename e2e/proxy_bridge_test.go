package e2e_test

import (
	"testing"
	"time"
)

// TestBridge sends account and password to /v1/verify of a server with --bridge. The first request
// costs a hash, later ones use the cache until the account changes, in this process or another.
func TestBridge(t *testing.T) {
	t.Parallel()
	costly := []string{"--argon2-memory", "131072", "--argon2-time", "4"} // for a clear difference
	s := start(t, t.TempDir(), append(costly, "--bridge", "--log-level", "error")...)
	account(t, s, "ann@example.com")
	verify := func(password string) (status int, took time.Duration) {
		t.Helper()
		started := time.Now()
		got := request(t, "GET", s.URL+"/v1/verify", "", basic("ann@example.com", password))
		return got.Status, time.Since(started)
	}
	status, first := verify("secret1")
	if status != 200 {
		t.Fatalf("the first request: status %d, want 200", status)
	}
	var later time.Duration
	const times = 200
	for range times {
		status, took := verify("secret1")
		if later += took; status != 200 {
			t.Fatalf("a later request: status %d, want 200", status)
		}
	}
	t.Logf("first %v, later %v on average", first, later/times)
	if later/times*3 > first {
		t.Errorf("the first request took %v, later ones %v on average, want at most a third", first,
			later/times)
	}
	mustRun(t, s.Dir, "secret2\n", "user", "passwd", "ann@example.com", "--secret-stdin")
	if status, _ := verify("secret1"); status != 401 {
		t.Errorf("the old password: status %d, want 401", status)
	}
	if status, _ := verify("secret2"); status != 200 {
		t.Errorf("the new password: status %d, want 200", status)
	}
	mustRun(t, s.Dir, "", "user", "disable", "ann@example.com")
	if status, _ := verify("secret2"); status != 401 {
		t.Errorf("a disabled account: status %d, want 401", status)
	}
	plain := start(t, t.TempDir(), cheapHashes...)
	account(t, plain, "ann@example.com")
	got := request(t, "GET", plain.URL+"/v1/verify", "", basic("ann@example.com", "secret1"))
	checkStatus(t, "without --bridge", got, 401)
}
