//go:build e2e || bench

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// service is the program behind a proxy, which knows nothing of Latchkey: it records what reaches it.
type service struct {
	URL string // http://127.0.0.1:PORT

	mu          sync.Mutex
	received    []http.Header
	requests    []string
	connections int
}

// newService starts a service that answers every request with 200 and "behind".
func newService(tb testing.TB) *service {
	tb.Helper()
	s := &service{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.received = append(s.received, r.Header.Clone())
		s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>Behind</title><main>behind "+r.URL.Path+"</main>\n")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
	server.Start()
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// take returns the headers of the requests that have come since the last call.
func (s *service) take() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.received
	s.received = nil
	return got
}

// asked returns the requests that have come since the last call, each "METHOD URI BODY", and how many connections
// there have ever been: also one that brought no request that can be read.
func (s *service) asked() (requests []string, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, s.requests = s.requests, nil
	return requests, s.connections
}

// guarded is a web server that asks a Latchkey's /v1/verify before each request, as a proxy does, and hands its
// refusals on.
func guarded(tb testing.TB, s *server, behind http.Handler) *httptest.Server {
	tb.Helper()
	door := httptest.NewServer(askFirst(s, behind))
	tb.Cleanup(door.Close)
	return door
}

// askFirst is the handler of guarded.
func askFirst(s *server, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.URL+"/v1/verify", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ask.Header = http.Header{"Authorization": r.Header["Authorization"], "Cookie": r.Header["Cookie"]}
		answer, err := client.Do(ask)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			behind.ServeHTTP(w, r)
			return
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})
}

// recipe returns a fenced block of docs/howto/*/NAME.md, the one that opens with "```LANGUAGE BLOCK". swap holds
// pairs: a text, which the block must contain, and its replacement, such as the address of a test's server.
func recipe(tb testing.TB, name, block string, swap ...string) string {
	tb.Helper()
	found, _ := filepath.Glob("../docs/howto/*/" + name + ".md")
	if len(found) != 1 {
		tb.Fatalf("%d recipes %s.md in docs/howto, want 1", len(found), name)
	}
	page, err := os.ReadFile(found[0])
	must(tb, err)
	out, ok := codeBlock(string(page), block)
	if !ok {
		tb.Fatalf("%s has no block %q", found[0], block)
	}
	for i := 0; i < len(swap); i += 2 {
		if !strings.Contains(out, swap[i]) {
			tb.Fatalf("%s, %s: no %q to replace", found[0], block, swap[i])
		}
		out = strings.ReplaceAll(out, swap[i], swap[i+1])
	}
	return out
}

// background runs a program of somebody else's until the test ends; done is closed when it has.
func background(tb testing.TB, dir, name string, args ...string) (out *lockedBuffer, done chan struct{}) {
	tb.Helper()
	out, done = &lockedBuffer{}, make(chan struct{})
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	must(tb, cmd.Start())
	go func() { _ = cmd.Wait(); close(done) }()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	return out, done
}

// daemon runs a program of somebody else's until the test ends, and waits until it takes connections at an address.
func daemon(tb testing.TB, address, dir, name string, args ...string) *lockedBuffer {
	tb.Helper()
	out, done := background(tb, dir, name, args...)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return out
		}
		select {
		case <-done:
			tb.Fatalf("%s ended: %s", name, out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	tb.Fatalf("%s does not listen at %s: %s", name, address, out)
	return nil
}

// freeAddress is an address at 127.0.0.1 that nobody listens at.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	defer l.Close()
	return l.Addr().String()
}

// execute runs a program of somebody else's for at most a minute and returns what it printed, both streams, and
// its exit code. Only env is its environment, beside PATH.
func execute(tb testing.TB, dir string, env []string, stdin, name string, args ...string) (string, int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("%s: %v: %s", name, err, out.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// codeBlock returns the text of a fenced block of a Markdown page: the one that opens with "```LANGUAGE NAME".
func codeBlock(page, name string) (text string, ok bool) {
	fence := regexp.MustCompile("(?m)^```\\w+ " + regexp.QuoteMeta(name) + "\n")
	at := fence.FindStringIndex(page)
	if at == nil {
		return "", false
	}
	text, _, ok = strings.Cut(page[at[1]:], "```")
	return text, ok
}
