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

// fault makes one system call fail, or kills the server there: the nth call of a thread, or with
// forever that call and all after it.
type fault struct {
	call    string
	does    string // strace's action, such as error=EIO or signal=SIGKILL
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
func diskFaults(depth int) (all []fault) {
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

// TestDiskFaults makes disk calls fail, once or from then on. The server answers 503 and keeps
// running, loses nothing that it acknowledged, and accepts no invalid token.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	injectDiskFaults(t, diskFaults(25), 9)
}

// injectDiskFaults tries every each-th point.
func injectDiskFaults(t *testing.T, points []fault, each int) {
	t.Helper()
	origin := start(t, t.TempDir(), cheapHashes...)
	user := account(t, origin, "old@example.com")
	must(t, origin.stop(t))
	tried, injected, refused := 0, 0, 0
	for i := 0; i < len(points); i += each {
		dir := t.TempDir()
		copyData(t, origin.Dir, dir)
		l := &acknowledged{accounts: map[string]string{"old@example.com": "secret1"}, old: user}
		hits := runWithFault(t, dir, points[i], l)
		tried, refused = tried+1, refused+l.refused
		if hits > 0 {
			injected++
		}
		if t.Failed() {
			t.Fatalf("with the fault %v", points[i])
		}
	}
	t.Logf("%d points tried, %d hit, %d requests answered 503, no false acknowledgement",
		tried, injected, refused)
	if injected < tried/4 {
		t.Errorf("%d of %d points were hit, want at least a quarter", injected, tried)
	}
}

// acknowledged records what the server acknowledged to its client.
type acknowledged struct {
	accounts map[string]string // account → password; "" if either of two may be valid
	old      string            // a token from before the fault that is never revoked
	revoked  []string          // tokens whose revocation was acknowledged
	refused  int
	killable bool // the fault kills the server
	killed   bool // it has
	starts   []time.Duration
}

// runWithFault runs a session against a server with a fault, then audits the data directory with a
// server without one. hits counts how often the fault occurred.
func runWithFault(t *testing.T, dir string, f fault, l *acknowledged) (hits int) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	out := &lockedBuffer{}
	cmd := exec.Command("strace", append([]string{"-f", "-qq", "-o", trace, "-e", "trace=" + f.call,
		"-e",
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
		if match := addressLine.FindStringSubmatch(out.String()); match != nil &&
			answered(match[1]+"/healthz") {
			l.session(t, match[1])
			break
		}
		select {
		case <-done: // the start failed, or the server was killed
			if !f.kills() && strings.Count(out.String(), "latchkey: ") != 1 {
				t.Errorf("a failed start prints %q, want one line", out)
			}
		case <-time.After(5 * time.Millisecond):
			continue
		}
		break
	}
	stop()
	if strings.Contains(out.String(), "panic") {
		t.Errorf("the server panicked: %s", out)
	}
	text, err := os.ReadFile(trace)
	must(t, err)
	started := time.Now()
	sound := start(t, dir, cheapHashes...)
	l.starts = append(l.starts, time.Since(started))
	l.audit(t, sound)
	return strings.Count(string(text), "(INJECTED)") + strings.Count(string(text), "killed by SIGKILL")
}

// do sends a request and returns whether the server acknowledged it. The only other valid answer is
// 503.
func (l *acknowledged) do(
	t *testing.T, method, url, body string, headers ...string,
) (got reply, done bool) {
	t.Helper()
	started := time.Now()
	got, err := tryOnce(method, url, body, append(headers, asJSON)...)
	if err != nil {
		if l.killed = true; !l.killable {
			t.Errorf("%s %s: %v", method, url, err)
		}
		return got, false
	}
	if done = got.Status < 300; !done {
		l.refused++
		if got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s %s: status %d, want 503: %s", method, url, got.Status, got.Body)
		}
	}
	requireWithin(t, method+" "+url, time.Since(started), 10*time.Second)
	return got, done
}

// session registers, logs in, revokes tokens and changes passwords: enough requests to reach most
// faults.
func (l *acknowledged) session(t *testing.T, url string) {
	t.Helper()
	for n := 0; n < 6 && !l.killed; n++ {
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
				l.revoked = append(l.revoked, token)
			}
			continue
		}
		if _, done := l.do(t, "PUT", url+"/v1/user/secret", `{"old":"secret1","new":"secret2"}`,
			bearer(token)); done {
			l.accounts[name], l.revoked = "secret2", append(l.revoked, token)
		} else {
			l.accounts[name] = ""
		}
	}
	for _, token := range append(slices.Clone(l.revoked), l.old+"x") {
		got, err := tryOnce("GET", url+"/v1/verify", "", bearer(token))
		if err != nil && l.killable {
			return
		}
		if err != nil || got.Status != 401 && got.Status != 503 {
			t.Errorf("a revoked or invalid token: status %d, %v, want 401 or 503", got.Status, err)
		}
	}
}

// audit checks that the server has everything that was acknowledged.
func (l *acknowledged) audit(t *testing.T, s *server) {
	t.Helper()
	defer s.kill()
	for account, password := range l.accounts {
		valid := 0
		for _, attempt := range []string{"secret1", "secret2"} {
			body := loginJSON(account, attempt)
			got := request(t, "POST", s.URL+"/v1/token", body, asJSON)
			if got.Status == http.StatusCreated {
				valid++
			}
			if ok := got.Status == http.StatusCreated; password != "" && ok != (attempt == password) {
				t.Errorf("%s with %s: status %d; acknowledged is %s", account, attempt, got.Status, password)
			}
		}
		if valid != 1 {
			t.Errorf("%s has %d valid passwords, want 1", account, valid)
		}
	}
	for _, token := range l.revoked {
		if got := statusOf(t, s, token); got != http.StatusUnauthorized {
			t.Errorf("a revoked token after a restart: status %d, want 401", got)
		}
	}
	if l.old == "" {
		return
	}
	if got := statusOf(t, s, l.old); got != http.StatusOK {
		t.Errorf("the old token: status %d, want 200", got)
	}
}
