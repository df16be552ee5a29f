//go:build torture

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loopDisk creates a small ext4 file system on a loop device.
func loopDisk(t *testing.T) (device string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 16<<20))
	tool(t, "mkfs.ext4", "-q", image)
	device = tool(t, "losetup", "--find", "--show", image)
	t.Cleanup(func() { tool(t, "losetup", "--detach", device) })
	return device
}

// tool runs a program of the system and returns its output.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestTortureReadOnlyDisk makes the file system read-only under the server, as Linux does after an
// error. Writes are answered with 503, verification works, and a new server does not start on it.
// Nothing acknowledged is lost.
func TestTortureReadOnlyDisk(t *testing.T) {
	device, point := loopDisk(t), t.TempDir()
	mountDisk := func() {
		t.Helper()
		must(t, syscall.Mount(device, point, "ext4", 0, "errors=remount-ro"))
	}
	mountDisk()
	t.Cleanup(func() { _ = syscall.Unmount(point, syscall.MNT_DETACH) })
	dir := filepath.Join(point, "data")
	var accounts []string
	var refusals []time.Duration
	for n := range 20 {
		s := start(t, dir, append(cheapHashes, "--network-tries", "100000")...)
		token := account(t, s, fmt.Sprintf("ann%d@example.com", n))
		w := startWriters(t, s, token, fmt.Sprintf("r%d-", n))
		w.awaitNext(t, "a write", w.acknowledged)
		must(t, os.WriteFile("/sys/fs/ext4/"+filepath.Base(device)+"/trigger_fs_error", []byte("test"),
			0o200))
		w.awaitNext(t, "a 503", w.refused)
		verified := w.verified.Load()
		await(t, "verification to continue", func() bool { return w.verified.Load() > verified+100 })
		w.stopAndWait()
		accounts, refusals = append(accounts, w.accounts...), append(refusals, w.refusals...)
		s.kill()
		began := time.Now()
		started, out := tryStart(t, dir, cheapHashes...)
		if started != nil || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "latchkey: ") {
			t.Errorf("a start on a read-only file system prints %q, want one line", out)
		}
		requireWithin(t, "the failing start", time.Since(began), time.Second)
		must(t, syscall.Unmount(point, 0))
		_ = exec.Command("e2fsck", "-p", device).Run() // exits 1 after a repair
		mountDisk()
	}
	t.Logf("20 times read-only: %d accounts acknowledged, %d requests answered 503 after %v",
		len(accounts), len(refusals), quantilesOf(refusals))
	requireIntegrity(t, dir)
	requireAccounts(t, dir, accounts)
}
