// Package e2e_test runs the binary from outside: over HTTP and on the command line, with kills and
// damaged data directories. The build tag e2e adds browsers, proxies, clients and several nodes;
// torture adds long runs, bench measurements.
//
// Files are named by subject (durability_, start_, time_, load_, proxy_, client_, node_, page_,
// command_, contract_, password_, secrecy_, bench_); harness_ files hold what they share.
package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// binary is the program under test, built once by TestMain.
var binary string

// TestMain builds the binary and, if asked, starts PostgreSQL. Tests mostly wait for other processes,
// so more of them run at once than there are cores, unless -parallel is given.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "latchkey-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "latchkey")
	build := exec.Command("go", "build", "-o", binary, "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	end := postgrestest.Main()
	code := m.Run()
	_ = os.RemoveAll(dir)
	end(code)
}

// database returns the environment that names the PostgreSQL database of a data directory: one that
// usePostgres created, or a new one if the tests run on PostgreSQL. nil means SQLite.
func database(tb testing.TB, dir string) []string {
	tb.Helper()
	known, err := os.ReadFile(filepath.Join(dir, "postgres"))
	if err == nil {
		return []string{"LATCHKEY_DATABASE=" + string(known)}
	}
	if !postgrestest.Asked() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	return usePostgres(tb, postgrestest.Running(), dir)
}

// usePostgres creates a database in a cluster for a data directory.
func usePostgres(tb testing.TB, c *postgrestest.Cluster, dir string) []string {
	tb.Helper()
	address, err := c.InPlaceOf(context.Background(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	mustRun(tb, dir, "", "migrate")
	return []string{"LATCHKEY_DATABASE=" + address}
}

// server is a running server.
type server struct {
	URL  string // http://127.0.0.1:PORT
	Dir  string // data directory
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan error
}

// lockedBuffer collects the output of a process; tests can read it at any time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var addressLine = regexp.MustCompile(`address +(http://\S+)`)

// start starts the server on a free port and waits until it answers. It is killed when the test
// ends.
func start(tb testing.TB, dir string, args ...string) *server {
	tb.Helper()
	return startProgram(tb, nil, binary, dir, args...)
}

// startProgram is start with another binary and additional environment variables.
func startProgram(tb testing.TB, env []string, program, dir string, args ...string) *server {
	tb.Helper()
	s := &server{Dir: dir, out: &lockedBuffer{}, done: make(chan error, 1)}
	s.cmd = exec.Command(program, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", dir},
		args...)...)
	s.cmd.Env = append(append(os.Environ(), database(tb, dir)...), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	tb.Cleanup(s.kill)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if match := addressLine.FindStringSubmatch(s.out.String()); match != nil {
			s.URL = match[1]
			if answered(s.URL + "/healthz") {
				return s
			}
		}
		select {
		case err := <-s.done:
			tb.Fatalf("the server exits with %v:\n%s", err, s.out)
		case <-time.After(2 * time.Millisecond):
		}
	}
	tb.Fatalf("the server does not answer within 20 s:\n%s", s.out)
	return nil
}

// answered returns whether a GET request returns 200.
func answered(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// kill kills the process (SIGKILL) and waits for it. A second call does nothing.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.done <- nil
	}
}

// stop stops the process (SIGTERM) and returns its error.
func (s *server) stop(tb testing.TB) error {
	tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done <- nil
		return err
	case <-time.After(patience):
		tb.Fatal("the server does not stop within 20 s")
		return nil
	}
}

// latchkey runs a command on a data directory.
func latchkey(tb testing.TB, dir, stdin string, args ...string) (stdout, stderr string, code int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errOut bytes.Buffer
	cmd.Env = append(append(os.Environ(), "LATCHKEY_DATA="+dir), database(tb, dir)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		tb.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// mustRun is latchkey for a command that must succeed. It returns the standard output without the
// last line end.
func mustRun(tb testing.TB, dir, stdin string, args ...string) string {
	tb.Helper()
	out, errOut, code := latchkey(tb, dir, stdin, args...)
	if code != 0 {
		tb.Fatalf("latchkey %v: exit %d, want 0: %s", args, code, errOut)
	}
	return strings.TrimSuffix(out, "\n")
}

// await polls until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// checkFails runs a command that must exit 1 with want in its error.
func checkFails(tb testing.TB, want, dir string, args ...string) {
	tb.Helper()
	if _, stderr, code := latchkey(tb, dir, "", args...); code != 1 ||
		!strings.Contains(stderr, want) {
		tb.Errorf("latchkey %v: exit %d: %q, want exit 1 and %q", args, code, stderr, want)
	}
}

// writeProgram writes a program that a test runs. No process that another test starts meanwhile may
// inherit the open file: the system does not run a file that is open for writing (ETXTBSY).
func writeProgram(tb testing.TB, path string, content []byte) {
	tb.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	must(tb, os.WriteFile(path, content, 0o755))
}

// copyData copies a data directory and restores the file modes that the server requires.
func copyData(tb testing.TB, from, to string) {
	tb.Helper()
	must(tb, os.CopyFS(to, os.DirFS(from)))
	must(tb, os.Chmod(to, 0o700))
	must(tb, os.Chmod(filepath.Join(to, "secret"), 0o600))
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tryStart is start for a server that may fail. In that case s is nil and out is its output.
func tryStart(t *testing.T, dir string, args ...string) (s *server, out string) {
	t.Helper()
	printed := &lockedBuffer{}
	cmd := exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", dir},
		args...)...)
	cmd.Stdout, cmd.Stderr = printed, printed
	must(t, cmd.Start())
	s = &server{Dir: dir, cmd: cmd, out: printed, done: make(chan error, 1)}
	go func() { s.done <- cmd.Wait() }()
	for {
		if match := addressLine.FindStringSubmatch(printed.String()); match != nil &&
			answered(match[1]+"/healthz") {
			s.URL = match[1]
			t.Cleanup(s.kill)
			return s, ""
		}
		select {
		case <-s.done:
			return nil, printed.String()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
