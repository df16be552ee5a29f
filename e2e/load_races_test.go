//go:build e2e || torture

package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRaces uses every part of the API at once on a server built with the race detector. It reports
// no race.
func TestRaces(t *testing.T) {
	t.Parallel()
	raceFor(t, 10*time.Second)
}

// raceFor runs clients that use the whole API on a few accounts for a time.
func raceFor(t *testing.T, length time.Duration) {
	program := filepath.Join(t.TempDir(), "latchkey")
	if out, err := exec.Command("go", "build", "-race", "-o", program,
		"..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := startProgram(t, nil, program, t.TempDir(), append(lenient, "--network-tries", "1000",
		"--bridge", "--revocation-lag", "2s")...)
	addUser(t, s.Dir, "root@example.com", "--admin")
	m := &raceClients{t: t, url: s.URL, root: login(t, s, "root@example.com")}
	var wait sync.WaitGroup
	until := time.Now().Add(length)
	for client := range 40 {
		wait.Go(func() {
			for time.Now().Before(until) {
				m.act(client % 5)
			}
		})
	}
	wait.Go(func() {
		for time.Now().Before(until) {
			_, _, _ = latchkey(t, s.Dir, "", "key", "rotate") // fails while the last key is still waiting
			mustRun(t, s.Dir, "", "key", "reseal")
		}
	})
	wait.Wait()
	if err := s.stop(t); err != nil || strings.Contains(s.out.String(), "DATA RACE") {
		t.Errorf("the server exits with %v: %s", err, s.out)
	}
	t.Logf("%d requests in %v, no race reported", m.asked.Load(), length)
}

// raceClients are clients that use the whole API at once.
type raceClients struct {
	t     *testing.T
	url   string
	root  string // an administrator's token
	asked atomic.Int64
}

// act makes a random request for an account. Other clients change the same account, so most
// statuses are valid; 500 is not.
func (m *raceClients) act(account int) {
	name := fmt.Sprintf("ann%d@example.com", account)
	credentials := registerJSON(name)
	switch rand.IntN(8) {
	case 0:
		m.ask("POST", "/v1/client/register", credentials)
	case 1:
		m.ask("POST", "/v1/token", strings.Replace(credentials, "secret1", "secret2", 1))
	case 2:
		m.ask("GET", "/v1/verify", "", basic(name, "secret1")) // the bridge
	case 3:
		state := []string{"1", "2"}[rand.IntN(2)]
		m.ask("PUT", fmt.Sprintf("/v1/user/%d", 2+account), `{"state":`+state+`}`, bearer(m.root))
	default:
		var answer struct{ Token string }
		_ = json.Unmarshal([]byte(m.ask("POST", "/v1/token", credentials)), &answer)
		if answer.Token != "" {
			m.use(bearer(answer.Token))
		}
	}
}

// use makes random requests with a token.
func (m *raceClients) use(token string) {
	for range 20 {
		m.ask("GET", "/v1/verify", "", token)
	}
	m.ask("GET", "/v1/user", "", token)
	m.ask("GET", "/v1/tokens", "", token)
	switch rand.IntN(5) {
	case 0:
		m.ask("POST", "/v1/token/renew", "", token)
	case 1:
		m.ask("DELETE", "/v1/token", "", token)
	case 2:
		m.ask("DELETE", "/v1/tokens?all=1", "", token)
	case 3:
		m.ask("PUT", "/v1/user/secret", `{"old":"secret1","new":"secret1"}`, token)
	case 4:
		m.ask("POST", "/v1/tokens", `{"label":"x","scope":"UserScope","lifetime":60}`, token)
	}
}

// ask sends a request, whose status must be below 500 or 503, and returns the body.
func (m *raceClients) ask(method, path, body string, headers ...string) string {
	got, err := tryOnce(method, m.url+path, body, append(headers, asJSON)...)
	if m.asked.Add(1); err != nil || got.Status >= 500 && got.Status != 503 {
		m.t.Errorf("%s %s: status %d, %v: %s", method, path, got.Status, err, got.Body)
	}
	return got.Body
}
