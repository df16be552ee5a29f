//go:build e2e || torture

package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// crashPoints lists the system calls at which the server is killed, the earliest first. depth is
// the highest number of a call within a thread.
func crashPoints(depth int) (all []fault) {
	for nth := 1; nth <= depth; nth++ {
		for _, call := range []string{"pwrite64", "fsync", "ftruncate", "unlink", "unlinkat", "linkat",
			"renameat", "write"} {
			all = append(all, fault{call: call, does: "signal=SIGKILL", nth: nth})
		}
	}
	return all
}

// TestCrashPoints kills the server at its nth write, during its first start or while it serves.
// It starts again and has lost nothing that it acknowledged.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	crashRepeatedly(t, crashPoints(12), 3, 8)
}

// crashRepeatedly visits every each-th point, alternately in a data directory with an account and
// in an empty one. Threads interleave differently in every run, so it repeats the list until the
// server was killed at least minKills times.
func crashRepeatedly(t *testing.T, points []fault, each, minKills int) {
	t.Helper()
	origin := start(t, t.TempDir(), cheapHashes...)
	user := account(t, origin, "old@example.com")
	must(t, origin.stop(t))
	tried, killed, done := 0, 0, 0
	var starts []time.Duration
	for i := 0; i < len(points) || killed < minKills; i += each {
		point := points[i%len(points)]
		l := &acknowledged{accounts: map[string]string{}, killable: true}
		dir := t.TempDir()
		if must(t, os.Chmod(dir, 0o700)); tried%2 == 0 {
			copyData(t, origin.Dir, dir)
			l.accounts["old@example.com"], l.old = "secret1", user
		}
		if tried++; runWithFault(t, dir, point, l) > 0 {
			killed++
		}
		requireIntegrity(t, dir)
		starts, done = append(starts, l.starts...), done+len(l.accounts)+len(l.revoked)
		if t.Failed() {
			t.Fatalf("after a kill at %v", point)
		}
	}
	t.Logf("%d points tried, killed at %d of them, %d changes acknowledged, none lost; next start: %v",
		tried, killed, done, quantilesOf(starts))
}

// requireIntegrity runs SQLite's integrity check on the database of a stopped server.
func requireIntegrity(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "latchkey.db"))
	must(t, err)
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("PRAGMA integrity_check: %q, %v, want \"ok\"", verdict, err)
	}
}
