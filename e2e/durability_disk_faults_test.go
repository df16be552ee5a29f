//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fault is one point at which the kernel refuses a call of the server's, or kills it there: the nth of a thread, or
// that and all after.
type fault struct {
	call    string
	does    string // error=EIO, signal=SIGKILL
	nth     int
	forever bool
}

func (f fault) String() string {
	more := ""
	if f.forever {
		more = "+"
	}
	return fmt.Sprintf("%s:%s:when=%d%s", f.call, f.does, f.nth, more)
}

func (f fault) kills() bool { return f.does == "signal=SIGKILL" }

// faults lists points in the order in which they are worth looking at.
func faults(depth int) (all []fault) {
	for nth := 1; nth <= depth; nth++ {
		for _, call := range []string{"fsync", "pwrite64", "pread64", "ftruncate"} {
			for _, errno := range []string{"EIO", "ENOSPC"} {
				for _, forever := range []bool{false, true} {
					all = append(all, fault{call, "error=" + errno, nth, forever})
				}
			}
		}
	}
	return all
}

// TestDiskFaults: whatever call to the disk fails, once or from then on, nothing that was answered as done is lost,
// nobody is let in who should not be, and the server says 503 and lives.
func TestDiskFaults(t *testing.T) { injectFaults(t, faults(25), 9) }

// injectFaults tries every nth of the points.
func injectFaults(t *testing.T, points []fault, each int) {
	t.Helper()
	origin := start(t, t.TempDir(), cheapHashes...)
	user := account(t, origin, "old@example.com")
	must(t, origin.stop(t))
	tried, injected, refused := 0, 0, 0
	for i := 0; i < len(points); i += each {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS(origin.Dir)))
		must(t, os.Chmod(dir, 0o700))
		must(t, os.Chmod(filepath.Join(dir, "secret"), 0o600))
		l := &acknowledged{accounts: map[string]string{"old@example.com": "secret1"}, old: user}
		hits := underFault(t, dir, points[i], l)
		tried, refused = tried+1, refused+l.refused
		if hits > 0 {
			injected++
		}
		if t.Failed() {
			t.Fatalf("at %v", points[i])
		}
	}
	t.Logf("%d points tried, %d of them hit, %d requests refused, none falsely acknowledged", tried, injected, refused)
	if injected < tried/4 {
		t.Errorf("only %d of %d points were hit", injected, tried)
	}
}

// acknowledged is what a server said was done, as its client knows it.
type acknowledged struct {
	accounts map[string]string // account to secret; "" when it is not known which of two
	old      string            // a token from before, which nothing ends
	ended    []string          // tokens of which an end was acknowledged
	refused  int
	mortal   bool // the server is to be killed at some moment
	gone     bool // it was
	starts   []time.Duration
}

// underFault runs a session against a server with a fault, then looks with a sound one at what became of it.
func underFault(t *testing.T, dir string, f fault, l *acknowledged) (hits int) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	out := &lockedBuffer{}
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", trace, "-e", "trace=" + f.call, "-e",
		"inject=" + f.String(), binary, "serve", "--addr", "127.0.0.1:0", "--data", dir}, cheapHashes...)...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	stop := func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	t.Cleanup(stop)
	for {
		if match := addressLine.FindStringSubmatch(out.String()); match != nil && answered(match[1]+"/healthz") {
			l.session(t, match[1])
			break
		}
		select {
		case <-done: // it refused to start, or was killed
			if !f.kills() && strings.Count(out.String(), "latchkey: ") != 1 {
				t.Errorf("a bad start: %s", out)
			}
		case <-time.After(5 * time.Millisecond):
			continue
		}
		break
	}
	stop()
	if strings.Contains(out.String(), "panic") {
		t.Errorf("a panic: %s", out)
	}
	text, err := os.ReadFile(trace)
	must(t, err)
	started := time.Now()
	sound := start(t, dir, cheapHashes...)
	l.starts = append(l.starts, time.Since(started))
	l.audit(t, sound)
	return strings.Count(string(text), "(INJECTED)") + strings.Count(string(text), "killed by SIGKILL")
}

// do sends a request and says whether it was acknowledged. Any refusal must be 503.
func (l *acknowledged) do(t *testing.T, method, url, body string, headers ...string) (got reply, done bool) {
	t.Helper()
	started := time.Now()
	got, err := tryRequest(method, url, body, append(headers, asJSON)...)
	if err != nil {
		if l.gone = true; !l.mortal {
			t.Errorf("%s %s: %v", method, url, err)
		}
		return got, false
	}
	if done = got.Status < 300; !done {
		l.refused++
		if got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s %s: %d %s", method, url, got.Status, got.Body)
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("%s %s took %v", method, url, took)
	}
	return got, done
}

// session registers, logs in, ends tokens and changes secrets, for as long as most faults are away.
func (l *acknowledged) session(t *testing.T, url string) {
	t.Helper()
	for n := 0; n < 6 && !l.gone; n++ {
		name := fmt.Sprintf("new%d@example.com", n)
		credentials := `{"account":"` + name + `","secret":"secret1","type":100`
		registration := credentials + `,"nickname":"New ` + strconv.Itoa(n) + `"}`
		if _, done := l.do(t, "POST", url+"/v1/client/register", registration); !done {
			continue
		}
		l.accounts[name] = "secret1"
		got, done := l.do(t, "POST", url+"/v1/token", credentials+`}`)
		if !done {
			continue
		}
		token := tokenIn(t, got)
		if n%2 == 0 {
			if _, done := l.do(t, "DELETE", url+"/v1/token", "", bearer(token)); done {
				l.ended = append(l.ended, token)
			}
			continue
		}
		if _, done := l.do(t, "PUT", url+"/v1/user/secret", `{"old":"secret1","new":"secret2"}`, bearer(token)); done {
			l.accounts[name], l.ended = "secret2", append(l.ended, token)
		} else {
			l.accounts[name] = ""
		}
	}
	for _, token := range append(slices.Clone(l.ended), l.old+"x") {
		got, err := tryRequest("GET", url+"/v1/verify", "", bearer(token))
		if err != nil && l.mortal {
			return
		}
		if err != nil || got.Status != 401 && got.Status != 503 {
			t.Errorf("an ended or bad token: %d, %v", got.Status, err)
		}
	}
}

// audit looks for everything that was acknowledged.
func (l *acknowledged) audit(t *testing.T, s *server) {
	t.Helper()
	defer s.kill()
	for account, secret := range l.accounts {
		works := 0
		for _, try := range []string{"secret1", "secret2"} {
			got := request(t, "POST", s.URL+"/v1/token", `{"account":"`+account+`","secret":"`+try+`","type":100}`, asJSON)
			if got.Status == http.StatusCreated {
				works++
			}
			if right := got.Status == http.StatusCreated; secret != "" && right != (try == secret) {
				t.Errorf("%s with %s: %d, the acknowledged one is %s", account, try, got.Status, secret)
			}
		}
		if works != 1 {
			t.Errorf("%s: %d secrets work", account, works)
		}
	}
	for _, token := range l.ended {
		if got := statusOf(t, s, token); got != http.StatusUnauthorized {
			t.Errorf("an ended token after a restart: %d", got)
		}
	}
	if l.old == "" {
		return
	}
	if got := statusOf(t, s, l.old); got != http.StatusOK {
		t.Errorf("the old token: %d", got)
	}
}
