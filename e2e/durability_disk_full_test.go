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

// mount mounts a file system for the length of a test.
func mount(t *testing.T, kind, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("none", dir, kind, 0, options); err != nil {
		t.Fatalf("mounting %s: %v (the tests of disks need root)", kind, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fillDisk takes all the space of a file system, and gives it back.
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

// writing is clients that write without a pause, and one that verifies.
type diskLoad struct {
	mu       sync.Mutex
	accounts []string // acknowledged
	refusals []time.Duration

	made     atomic.Int64
	verified atomic.Int64
	stop     chan struct{}
	wait     sync.WaitGroup
}

// startWriters registers accounts that begin so, and verifies, until stopped. Every answer must be right, or 503 for
// what writes.
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
			got, err := tryRequest("GET", s.URL+"/v1/verify", "", bearer(sent))
			if err != nil || got.Status != want {
				t.Errorf("verification: %d, %v, want %d", got.Status, err, want)
			}
			w.verified.Add(1)
		}
	})
	return w
}

func (w *diskLoad) running() bool {
	select {
	case <-w.stop:
		return false
	default:
		return true
	}
}

func (w *diskLoad) register(t *testing.T, s *server, name string) {
	began := time.Now()
	body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, name)
	got, err := tryRequest("POST", s.URL+"/v1/client/register", body, asJSON)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && got.Status == http.StatusCreated:
		w.accounts = append(w.accounts, name)
		w.made.Add(1)
	case err == nil && got.Status == http.StatusServiceUnavailable:
		w.refusals = append(w.refusals, time.Since(began))
	default:
		t.Errorf("%s: %d %s, %v", name, got.Status, got.Body, err)
	}
}

// until waits for the nth more account, or refusal.
func (w *diskLoad) awaitNext(t *testing.T, what string, more func() int) (took time.Duration) {
	t.Helper()
	began, before := time.Now(), more()
	await(t, what, func() bool { return more() > before })
	return time.Since(began)
}

func (w *diskLoad) acknowledged() int { return int(w.made.Load()) }

func (w *diskLoad) refused() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.refusals)
}

// end stops the clients and waits for them.
func (w *diskLoad) stopAndWait() {
	close(w.stop)
	w.wait.Wait()
}

// report says how the clients fared.
func (w *diskLoad) report(t *testing.T, back []time.Duration) {
	t.Helper()
	t.Logf("%d accounts acknowledged, %d requests refused by 503, %d verifications, all right; "+
		"the first write afterwards, in steps of 5 ms: %v", len(w.accounts), len(w.refusals), w.verified.Load(),
		quantilesOf(back))
	if len(w.refusals) > 0 {
		t.Logf("refused within %v", quantilesOf(w.refusals))
	}
}

// TestDiskFull: each time the disk is full, what writes is refused and verification goes on; when there is space again,
// so do the writes, and nothing acknowledged is lost.
func TestDiskFull(t *testing.T) { fillRepeatedly(t, 5) }

func fillRepeatedly(t *testing.T, times int) {
	dir := filepath.Join(mount(t, "tmpfs", "size=4m"), "data")
	s := start(t, dir, cheapHashes...)
	token := account(t, s, "ann@example.com")
	w := startWriters(t, s, token, "w")
	var back []time.Duration
	for range times {
		w.awaitNext(t, "a write", w.acknowledged)
		free := fillDisk(t, filepath.Dir(dir))
		w.awaitNext(t, "a refusal", w.refused)
		free()
		back = append(back, w.awaitNext(t, "a write after there is space", w.acknowledged))
	}
	w.stopAndWait()
	w.report(t, back)
	s.kill()
	requireIntegrity(t, dir)
	requireAccounts(t, dir, w.accounts)
}

// TestDatabaseLocked: while another program has the database for itself, verification goes on, and what writes waits,
// or is refused.
func TestDatabaseLocked(t *testing.T) { lockRepeatedly(t, 3) }

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
