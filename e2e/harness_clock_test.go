package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

// clockSource is added to the standard library's package time in the build whose clock a test
// moves: seconds to add to the time of day, read from a mapped file.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var testClock = mapTestClock()

func mapTestClock() *int64 {
	path, _ := syscall.Getenv("LATCHKEY_TEST_CLOCK")
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		panic("LATCHKEY_TEST_CLOCK: " + err.Error())
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("LATCHKEY_TEST_CLOCK: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}

func testOffset() int64 { return atomic.LoadInt64(testClock) }
`

// clockBuild builds, once, a server whose clock can be moved, and which clears old things away
// several times a second instead of every hour. Nothing of this is in the product: "go build
// -overlay" replaces source files.
var clockBuild = sync.OnceValues(func() (program string, err error) {
	dir := filepath.Dir(binary)
	replace := map[string]string{}
	add := func(path, text string) {
		replace[path] = filepath.Join(dir, strconv.Itoa(len(replace))+".go")
		if err == nil {
			err = os.WriteFile(replace[path], []byte(text), 0o600)
		}
	}
	edit := func(path string, changes ...string) {
		text, readErr := os.ReadFile(path)
		for i := 0; i < len(changes) && readErr == nil; i += 2 {
			if strings.Count(string(text), changes[i]) != 1 {
				readErr = fmt.Errorf("%s does not have %q once", path, changes[i])
			}
			text = []byte(strings.ReplaceAll(string(text), changes[i], changes[i+1]))
		}
		if err == nil {
			err = readErr
		}
		add(path, string(text))
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	edit(filepath.Join(std, "time.go"), "sec, nsec, mono := runtimeNow()\n",
		"sec, nsec, mono := runtimeNow()\n\tsec += testOffset()\n")
	add(filepath.Join(std, "testclock.go"), clockSource)
	follow, _ := filepath.Abs("../auth/follow.go")
	edit(follow, "sweepEvery  = time.Minute", "sweepEvery  = 200 * time.Millisecond",
		"purgeEvery  = time.Hour", "purgeEvery  = 200 * time.Millisecond")
	if err != nil {
		return "", err
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace})
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "latchkey-clock")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return program, nil
})

// clock is the clock of a server, which a test moves.
type clock struct {
	program string
	path    string
	file    *os.File
	offset  atomic.Int64 // seconds ahead of the true time
	moves   atomic.Int64 // odd while it is being moved
}

func newClock(t *testing.T) *clock {
	t.Helper()
	program, err := clockBuild()
	must(t, err)
	c := &clock{program: program, path: filepath.Join(t.TempDir(), "clock")}
	c.file, err = os.Create(c.path)
	must(t, err)
	t.Cleanup(func() { _ = c.file.Close() })
	c.set(t, 0)
	return c
}

// set lets the clock be so far ahead of the true time, at once.
func (c *clock) set(t testing.TB, ahead time.Duration) {
	t.Helper()
	c.moves.Add(1)
	seconds := int64(ahead / time.Second)
	_, err := c.file.WriteAt((*(*[8]byte)(unsafe.Pointer(&seconds)))[:], 0)
	must(t, err)
	c.offset.Store(seconds)
	c.moves.Add(1)
}

// now is the second that the clock shows.
func (c *clock) now() int64 { return time.Now().Unix() + c.offset.Load() }

func (c *clock) start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return startProgram(t, []string{"LATCHKEY_TEST_CLOCK=" + c.path}, c.program, dir,
		append([]string{"--max-token-ttl", "4320h"}, append(cheapHashes, args...)...)...)
}
