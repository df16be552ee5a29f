package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKeyRotationUnderLoad rotates and retires keys during logins and verifications. No valid token
// is rejected, and no token of a retired key is accepted.
func TestKeyRotationUnderLoad(t *testing.T) {
	rotateUnderLoad(t, 10)
}

// rotateUnderLoad rotates the keys several times, then retires all but the newest.
func rotateUnderLoad(t *testing.T, times int) {
	c := newClock(t)
	s := c.start(t, t.TempDir(), "--max-tokens", "10000")
	load := &loginLoad{}
	load.add(account(t, s, "ann@example.com"))
	first := load.token(0)
	stop := load.start(t, s)
	key := 1
	for n := range times {
		key++
		c.mustRun(t, s.Dir, "key", "rotate")
		c.set(t, time.Duration(n+1)*2*time.Minute) // every node knows the key after the revocation lag
		await(t, fmt.Sprintf("key %d to sign", key), func() bool {
			return newestKey(t, c, s).State == "signs"
		})
		await(t, "a login with the new key", func() bool { return newestKey(t, c, s).LiveTokens > 0 })
	}
	stop()
	t.Logf("%d rotations, %d logins, %d verifications", times, load.issued()-1, load.verified.Load())
	for old := key - 1; old > 0; old-- { // the first key last: its token shows that the server has seen all
		c.mustRun(t, s.Dir, "key", "retire", strconv.Itoa(old), "--now", "--yes")
	}
	await(t, "the server to retire the keys", func() bool { return statusOf(t, s, first) == 401 })
	live, rejected := int64(0), int64(0)
	for n := range load.issued() {
		if statusOf(t, s, load.token(n)) == 401 {
			rejected++
		} else {
			live++
		}
	}
	newest := newestKey(t, c, s)
	if live != newest.LiveTokens || live == 0 || rejected == 0 {
		t.Errorf("%d tokens are accepted, %d rejected; the newest key signed %d", live, rejected,
			newest.LiveTokens)
	}
	if got := statusOf(t, s, load.token(load.issued()-1)); got != 200 {
		t.Errorf("a token of the newest key: status %d, want 200", got)
	}
}

// keyLine is a line of key list --json.
type keyLine struct {
	State      string `json:"state"`
	LiveTokens int64  `json:"live_tokens"`
}

// newestKey returns the newest key of a server's data directory.
func newestKey(t *testing.T, c *clock, s *server) (key keyLine) {
	t.Helper()
	first, _, _ := strings.Cut(c.mustRun(t, s.Dir, "key", "list", "--json"), "\n")
	must(t, json.Unmarshal([]byte(first), &key))
	return key
}

// loginLoad is clients that log in and verify tokens without a pause.
type loginLoad struct {
	mu       sync.Mutex
	tokens   []string // in the order of the logins
	verified atomic.Int64
}

// add adds a token.
func (l *loginLoad) add(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, token)
}

// issued returns the number of tokens.
func (l *loginLoad) issued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.tokens)
}

// token returns the nth token.
func (l *loginLoad) token(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tokens[n]
}

// start starts the clients. They verify the first and the newest token in turns.
func (l *loginLoad) start(t *testing.T, s *server) (stop func()) {
	var stopped atomic.Bool
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for n := 0; !stopped.Load(); n++ {
				token := l.token((l.issued() - 1) * (n % 2))
				got, err := tryRequest("GET", s.URL+"/v1/user", "", bearer(token))
				if err != nil || got.Status != http.StatusOK {
					t.Errorf("a valid token: status %d, %v, want 200: %s", got.Status, err, got.Body)
					return
				}
				l.verified.Add(1)
			}
		})
	}
	wait.Go(func() {
		for !stopped.Load() {
			body := loginJSON("ann@example.com", "secret1")
			got, err := tryRequest("POST", s.URL+"/v1/token", body, asJSON)
			var issued struct{ Token string }
			if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &issued) != nil {
				t.Errorf("login: status %d, %v, want 201: %s", got.Status, err, got.Body)
				return
			}
			l.add(issued.Token)
		}
	})
	return func() {
		stopped.Store(true)
		wait.Wait()
	}
}
