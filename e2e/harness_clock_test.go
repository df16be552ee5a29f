package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// clockBuild builds, once, a server whose clock a test can move and which purges old data several
// times a second.
var clockBuild = sync.OnceValues(func() (program string, err error) {
	o := overlay{dir: filepath.Dir(binary), replace: map[string]string{}}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	o.edit(filepath.Join(std, "time.go"), "sec, nsec, mono := runtimeNow\\(\\)\n",
		"$0\tsec += testOffset()\n")
	o.add(filepath.Join(std, "testclock.go"), clockSource)
	maintenance, _ := filepath.Abs("../auth/maintenance.go")
	o.edit(maintenance, `sweepEvery += time\.Minute`, "sweepEvery = 200 * time.Millisecond",
		`purgeEvery += time\.Hour`, "purgeEvery = 200 * time.Millisecond")
	return o.build("latchkey-clock")
})

// overlay collects changes to source files for "go build -overlay", which leaves the files as they
// are. It keeps the first error.
type overlay struct {
	dir     string
	replace map[string]string // path → path of the changed copy
	err     error
}

// add replaces or adds a source file.
func (o *overlay) add(path, text string) {
	o.replace[path] = filepath.Join(o.dir, strconv.Itoa(len(o.replace))+".go")
	if o.err == nil {
		o.err = os.WriteFile(o.replace[path], []byte(text), 0o600)
	}
}

// edit changes a source file. changes are pairs: a pattern, which must match once, and its
// replacement.
func (o *overlay) edit(path string, changes ...string) {
	text, err := os.ReadFile(path)
	for i := 0; i < len(changes) && err == nil; i += 2 {
		pattern := regexp.MustCompile(changes[i])
		if n := len(pattern.FindAll(text, -1)); n != 1 {
			err = fmt.Errorf("%s matches %q %d times, want once", path, changes[i], n)
		}
		text = pattern.ReplaceAll(text, []byte(changes[i+1]))
	}
	if o.err == nil {
		o.err = err
	}
	o.add(path, string(text))
}

// build builds the server with the changes.
func (o *overlay) build(name string) (program string, err error) {
	list, _ := json.Marshal(map[string]any{"Replace": o.replace})
	path := filepath.Join(o.dir, name+".json")
	if o.err == nil {
		o.err = os.WriteFile(path, list, 0o600)
	}
	if o.err != nil {
		return "", o.err
	}
	program = filepath.Join(o.dir, name)
	out, err := exec.Command("go", "build", "-overlay", path, "-o", program, "..").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return program, nil
}

// clock is a server's clock that a test moves.
type clock struct {
	program string
	path    string
	file    *os.File
	offset  atomic.Int64 // seconds ahead of the true time
	moves   atomic.Int64 // odd while it is being moved
}

// newClock creates a clock that shows the true time.
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

// set moves the clock to a distance from the true time.
func (c *clock) set(t testing.TB, ahead time.Duration) {
	t.Helper()
	c.moves.Add(1)
	seconds := int64(ahead / time.Second)
	_, err := c.file.WriteAt((*(*[8]byte)(unsafe.Pointer(&seconds)))[:], 0)
	must(t, err)
	c.offset.Store(seconds)
	c.moves.Add(1)
}

// now returns the clock's time in Unix seconds.
func (c *clock) now() int64 { return time.Now().Unix() + c.offset.Load() }

// mustRun runs a command on the clock, which must succeed, and returns its output.
func (c *clock) mustRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(c.program, append([]string{"--data", dir}, args...)...)
	cmd.Env = append(append(os.Environ(), database(t, dir)...), "LATCHKEY_TEST_CLOCK="+c.path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("latchkey %v: %v: %s", args, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// start starts a server on the clock.
func (c *clock) start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return startProgram(t, []string{"LATCHKEY_TEST_CLOCK=" + c.path}, c.program, dir,
		append([]string{"--max-token-ttl", "4320h"}, append(cheapHashes, args...)...)...)
}
