//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mount mounts a file system until the test ends.
func mount(t *testing.T, kind, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, kind, 0, options); err != nil {
		t.Fatalf("mount %s: %v (this test needs root)", kind, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fillDisk uses up the space of a file system; free releases it.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	must(t, err)
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

// diskLoad is three clients that register accounts without a pause, and one that verifies tokens.
type diskLoad struct {
	mu       sync.Mutex
	accounts []string // acknowledged
	refusals []time.Duration

	made     atomic.Int64
	verified atomic.Int64
	stop     chan struct{}
	wait     sync.WaitGroup
}

// startWriters starts the clients; prefix begins the names of their accounts. A write may be
// answered with 503; every other answer must be right.
func startWriters(t *testing.T, s *server, token, prefix string) *diskLoad {
	w := &diskLoad{stop: make(chan struct{})}
	for writer := range 3 {
		w.wait.Go(func() {
			for n := 0; w.running(); n++ {
				w.register(t, s, fmt.Sprintf("%s%d-%d@example.com", prefix, writer, n))
			}
		})
	}
	w.wait.Go(func() {
		for n := 0; w.running(); n++ {
			sent, want := token, http.StatusOK
			if n%2 == 1 {
				sent, want = tamper(token), http.StatusUnauthorized
			}
			got, err := tryOnce("GET", s.URL+"/v1/verify", "", bearer(sent))
			if err != nil || got.Status != want {
				t.Errorf("verification: status %d, %v, want %d", got.Status, err, want)
			}
			w.verified.Add(1)
		}
	})
	return w
}

// running returns whether the clients should continue.
func (w *diskLoad) running() bool {
	select {
	case <-w.stop:
		return false
	default:
		return true
	}
}

// register registers an account and records the response.
func (w *diskLoad) register(t *testing.T, s *server, name string) {
	began := time.Now()
	body := registerJSON(name)
	got, err := tryOnce("POST", s.URL+"/v1/client/register", body, asJSON)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && got.Status == http.StatusCreated:
		w.accounts = append(w.accounts, name)
		w.made.Add(1)
	case err == nil && got.Status == http.StatusServiceUnavailable:
		w.refusals = append(w.refusals, time.Since(began))
	default:
		t.Errorf("registration of %s: status %d, %v, want 201 or 503: %s", name, got.Status, err,
			got.Body)
	}
}

// awaitNext waits until a count has grown.
func (w *diskLoad) awaitNext(t *testing.T, what string, more func() int) (took time.Duration) {
	t.Helper()
	began, before := time.Now(), more()
	await(t, what, func() bool { return more() > before })
	return time.Since(began)
}

// acknowledged returns the number of acknowledged accounts.
func (w *diskLoad) acknowledged() int { return int(w.made.Load()) }

// refused returns the number of 503 responses.
func (w *diskLoad) refused() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refusals)
}

// stopAndWait stops the clients and waits for them.
func (w *diskLoad) stopAndWait() {
	close(w.stop)
	w.wait.Wait()
}

// report logs what the clients saw; back is how long writes took to succeed again.
func (w *diskLoad) report(t *testing.T, back []time.Duration) {
	t.Helper()
	t.Logf("%d accounts acknowledged, %d requests answered 503, %d verifications, all right; "+
		"first write afterwards, in steps of 5 ms: %v", len(w.accounts), len(w.refusals),
		w.verified.Load(), quantilesOf(back))
	if len(w.refusals) > 0 {
		t.Logf("503 after %v", quantilesOf(w.refusals))
	}
}

// TestDiskFull fills the disk several times. Meanwhile writes are answered with 503 and
// verification works. Once there is space, writes succeed again. Nothing acknowledged is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	fillRepeatedly(t, 5)
}

// fillRepeatedly fills the disk several times.
func fillRepeatedly(t *testing.T, times int) {
	dir := filepath.Join(mount(t, "tmpfs", "size=4m"), "data")
	s := start(t, dir, cheapHashes...)
	token := account(t, s, "ann@example.com")
	w := startWriters(t, s, token, "w")
	var back []time.Duration
	for range times {
		w.awaitNext(t, "a write", w.acknowledged)
		free := fillDisk(t, filepath.Dir(dir))
		w.awaitNext(t, "a 503", w.refused)
		free()
		back = append(back, w.awaitNext(t, "a write once there is space", w.acknowledged))
	}
	w.stopAndWait()
	w.report(t, back)
	s.kill()
	requireIntegrity(t, dir)
	requireAccounts(t, dir, w.accounts)
}

// TestDatabaseLocked locks the database from another program. Meanwhile verification works, and
// writes wait or are answered with 503.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	lockRepeatedly(t, 3)
}

// lockRepeatedly locks the database for 3 seconds, several times.
func lockRepeatedly(t *testing.T, times int) {
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	w := startWriters(t, s, token, "w")
	var back []time.Duration
	for range times {
		w.awaitNext(t, "a write", w.acknowledged)
		holdLock(t, filepath.Join(s.Dir, "latchkey.db"), 3*time.Second)
		back = append(back, w.awaitNext(t, "a write after the lock", w.acknowledged))
	}
	w.stopAndWait()
	w.report(t, back)
	s.kill()
	requireAccounts(t, s.Dir, w.accounts)
}
