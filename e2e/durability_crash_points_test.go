//go:build e2e || torture

package e2e_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// crashPoints lists every write at which a server is killed, in the order in which they are worth looking at.
func crashPoints(depth int) (all []fault) {
	for nth := 1; nth <= depth; nth++ {
		for _, call := range []string{"pwrite64", "fsync", "ftruncate", "unlink", "unlinkat", "linkat", "renameat", "write"} {
			all = append(all, fault{call: call, does: "signal=SIGKILL", nth: nth})
		}
	}
	return all
}

// TestCrashPoints: a server that is killed at whatever write, in its first start or in the middle of its work, loses
// nothing that it said was done, and starts again.
func TestCrashPoints(t *testing.T) { crashAt(t, crashPoints(12), 3, 8) }

// crashAt kills at every nth of the points, in a new data directory and in one with an account in turns, and begins
// anew, for calls and threads meet otherwise each time, until it has killed so often.
func crashAt(t *testing.T, points []fault, each, times int) {
	t.Helper()
	origin := start(t, t.TempDir(), cheapHashes...)
	user := account(t, origin, "old@example.com")
	must(t, origin.stop(t))
	tried, killed, done := 0, 0, 0
	var starts []time.Duration
	for i := 0; i < len(points) || killed < times; i += each {
		point := points[i%len(points)]
		l := &acknowledged{accounts: map[string]string{}, mortal: true}
		dir := t.TempDir()
		if must(t, os.Chmod(dir, 0o700)); tried%2 == 0 {
			must(t, os.CopyFS(dir, os.DirFS(origin.Dir)))
			must(t, os.Chmod(filepath.Join(dir, "secret"), 0o600))
			l.accounts["old@example.com"], l.old = "secret1", user
		}
		if tried++; underFault(t, dir, point, l) > 0 {
			killed++
		}
		requireIntact(t, dir)
		starts, done = append(starts, l.starts...), done+len(l.accounts)+len(l.ended)
		if t.Failed() {
			t.Fatalf("killed at %v", point)
		}
	}
	t.Logf("%d points tried, killed at %d, %d things acknowledged, 0 lost; the start afterwards: %v",
		tried, killed, done, quantilesOf(starts))
}

// requireIntact has SQLite check a database that nobody uses.
func requireIntact(t *testing.T, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "latchkey.db"))
	must(t, err)
	defer db.Close()
	var verdict string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}
