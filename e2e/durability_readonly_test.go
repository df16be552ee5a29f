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

// loopDisk makes a small ext4 file system in a file, on a loop device.
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

// tool runs a program of the system and returns what it prints.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestTortureReadOnlyDisk: a file system that turns read-only under the server, as Linux does after an error, refuses
// what writes, verification goes on, the server does not start on it, and nothing acknowledged is lost.
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
		must(t, os.WriteFile("/sys/fs/ext4/"+filepath.Base(device)+"/trigger_fs_error", []byte("test"), 0o200))
		w.awaitNext(t, "a refusal", w.refused)
		verified := w.verified.Load()
		await(t, "verification to go on", func() bool { return w.verified.Load() > verified+100 })
		w.stopAndWait()
		accounts, refusals = append(accounts, w.accounts...), append(refusals, w.refusals...)
		s.kill()
		began := time.Now()
		refused, out := tryStart(t, dir, cheapHashes...)
		if refused != nil || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "latchkey: ") {
			t.Errorf("a start on a read-only file system: %q", out)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it takes %v to refuse", took)
		}
		must(t, syscall.Unmount(point, 0))
		_ = exec.Command("e2fsck", "-p", device).Run() // 1: it had to mend something
		mountDisk()
	}
	t.Logf("20 times read-only: %d accounts acknowledged, %d requests refused by 503 within %v", len(accounts),
		len(refusals), quantilesOf(refusals))
	requireIntegrity(t, dir)
	requireAccounts(t, dir, accounts)
}
