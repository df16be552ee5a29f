package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// timedToken is a token with its times and state.
type timedToken struct {
	text            string
	issued, expires int64        // Unix seconds by the server's clock
	state           atomic.Int32 // live, revoking, revoked or forgettable
}

const (
	live int32 = iota
	revoking
	revoked
	forgettable // revoked, and expired more than a day ago by a clock that is not ahead
)

// newTimedToken reads the time of issue from the token's first ten bytes.
func newTimedToken(t testing.TB, text string, lifetime int64) *timedToken {
	t.Helper()
	head, err := base64.URLEncoding.DecodeString(text[:16])
	must(t, err)
	issued, err := strconv.ParseInt(string(head[:10]), 10, 64)
	must(t, err)
	return &timedToken{text: text, issued: issued, expires: issued + lifetime}
}

// accepted returns whether a token that is not revoked is valid at a time.
func (k *timedToken) accepted(now int64) bool { return k.issued <= now+60 && now < k.expires }

// clockTest is a server on a clock that the test moves, with every token that it issued.
type clockTest struct {
	*clock
	s      *server
	owner  string // the account of all tokens
	mu     sync.Mutex
	tokens []*timedToken

	verified, judged atomic.Int64
}

// newClockTest starts a server and issues tokens with lifetimes from a second to half a year.
func newClockTest(t *testing.T) *clockTest {
	t.Helper()
	m := &clockTest{clock: newClock(t), owner: "ann@example.com"}
	m.s = m.start(t, t.TempDir())
	m.track(newTimedToken(t, account(t, m.s, m.owner), 7200))
	for _, lifetime := range []int64{1, 2, 61, 3600, 7200, 86400, 4320 * 3600} {
		for range 2 {
			m.issue(t, lifetime)
		}
		m.revoke(t, m.issue(t, lifetime))
	}
	return m
}

// set moves the clock. The server may forget a revoked token a day after its expiry; if the clock
// then returns to a time at which the token was valid, it may be accepted.
func (m *clockTest) set(t testing.TB, ahead time.Duration) {
	t.Helper()
	m.clock.set(t, ahead)
	future := time.Now().Add(min(ahead, 0)).Unix()
	for _, k := range m.all() {
		if k.expires+86400 < future+60 {
			k.state.CompareAndSwap(revoked, forgettable)
		}
	}
}

// track adds a token.
func (m *clockTest) track(k *timedToken) *timedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, k)
	return k
}

// all returns the tokens issued so far.
func (m *clockTest) all() []*timedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tokens[:len(m.tokens):len(m.tokens)]
}

// issue issues a token with a lifetime in seconds.
func (m *clockTest) issue(t testing.TB, lifetime int64) *timedToken {
	t.Helper()
	fresh := login(t, m.s, m.owner)
	body := fmt.Sprintf(`{"label":"service","lifetime":%d}`, lifetime)
	got := request(t, "POST", m.s.URL+"/v1/tokens", body, asJSON, bearer(fresh))
	return m.track(newTimedToken(t, tokenIn(t, got), lifetime))
}

// revoke revokes a token by its own authority. If the clock moved meanwhile, the server may reject
// it, or have forgotten the revocation already.
func (m *clockTest) revoke(t testing.TB, k *timedToken) {
	t.Helper()
	moves := m.moves.Load()
	k.state.Store(revoking)
	got, err := tryRequest("DELETE", m.s.URL+"/v1/token", "", bearer(k.text))
	switch {
	case err == nil && got.Status == 202:
		k.state.Store(revoked)
	case err != nil || got.Status != 401:
		t.Errorf("revocation: status %d, %v, want 202 or 401: %s", got.Status, err, got.Body)
	}
	if moves != m.moves.Load() {
		k.state.CompareAndSwap(revoked, forgettable)
	}
}

// check verifies a token. It judges the response only if the clock and the token's state did not
// change meanwhile.
func (m *clockTest) check(t testing.TB, k *timedToken) {
	t.Helper()
	moves, before, from, began := m.moves.Load(), k.state.Load(), m.now(), time.Now()
	got, err := tryRequest("GET", m.s.URL+"/v1/verify", "", bearer(k.text))
	to, after := m.now(), k.state.Load()
	m.verified.Add(1)
	requireWithin(t, "verification", time.Since(began), 5*time.Second)
	steady := moves == m.moves.Load() && moves%2 == 0 && before == after &&
		k.accepted(from) == k.accepted(to)
	switch {
	case err != nil || got.Status != 200 && got.Status != 401:
		t.Errorf("verification: status %d, %v: %s", got.Status, err, got.Body)
	case before == revoked && after == revoked && got.Status != 401:
		t.Errorf("a revoked token: status %d, want 401, %d s after its issue, %d s before its expiry",
			got.Status, to-k.issued, k.expires-to)
	case before == live && steady && (got.Status == 200) != k.accepted(to):
		t.Errorf("a token: status %d %d s after its issue, %d s before its expiry",
			got.Status, to-k.issued, k.expires-to)
	case before == revoked || before == live && steady:
		m.judged.Add(1)
	}
}

// checkAll checks every token.
func (m *clockTest) checkAll(t testing.TB) {
	t.Helper()
	for _, k := range m.all() {
		m.check(t, k)
	}
}

// checkEdges moves the clock to the seconds around each token's issue and expiry.
func (m *clockTest) checkEdges(t *testing.T) {
	t.Helper()
	for _, k := range m.all() {
		for _, second := range []int64{k.issued - 61, k.issued - 60, k.issued, k.expires - 1, k.expires,
			k.expires + 1} {
			m.set(t, time.Duration(second-time.Now().Unix())*time.Second)
			m.check(t, k)
		}
	}
	m.set(t, 0)
}

// underLoad logs in, revokes and verifies until stop is called, while the test moves the clock.
func (m *clockTest) underLoad(t *testing.T) (stop func()) {
	t.Helper()
	var wait sync.WaitGroup
	var over atomic.Bool
	url := m.s.URL
	for range 2 {
		wait.Go(func() {
			for !over.Load() && !t.Failed() {
				tokens := m.all()
				m.check(t, tokens[rand.IntN(len(tokens))])
			}
		})
	}
	wait.Go(func() {
		for n := 0; !over.Load() && !t.Failed(); n++ {
			body := loginJSON(m.owner, "secret1")
			got, err := tryRequest("POST", url+"/v1/token", body, asJSON)
			var issued struct{ Token string }
			if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &issued) != nil {
				t.Errorf("login: status %d, %v, want 201: %s", got.Status, err, got.Body)
				return
			}
			k := m.track(newTimedToken(t, issued.Token, 7200))
			if n%2 == 0 {
				m.revoke(t, k)
			}
		}
	})
	return func() {
		over.Store(true)
		wait.Wait()
	}
}

// restart stops or kills the server and starts it again without moving the clock.
func (m *clockTest) restart(t *testing.T, orderly bool) {
	t.Helper()
	if orderly {
		must(t, m.s.stop(t))
	} else {
		m.s.kill()
	}
	if strings.Contains(m.s.out.String(), "panic") {
		t.Errorf("the server panicked: %s", m.s.out)
	}
	m.s = m.start(t, m.s.Dir)
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// jumps returns how far the clock is moved at once.
func jumps() (all []time.Duration) {
	for _, d := range []time.Duration{time.Second, 61 * time.Second, time.Hour, day, 10 * year} {
		all = append(all, d, -d)
	}
	return all
}

// jumpUnderLoad moves the clock by each jump and back, under load, in several rounds. After every
// restartEach-th jump it restarts the server on the moved clock. Each move is a second further than
// the one before, so that the clock never shows a second again: tokens of ten years ago are purged as
// soon as the clock is right, and a second that returned would give the same tokens again.
func jumpUnderLoad(t *testing.T, rounds, restartEach int) {
	t.Helper()
	m := newClockTest(t)
	m.checkEdges(t)
	moves, restarts, further := 0, 0, time.Duration(0)
	for range rounds {
		for _, jump := range jumps() {
			stop := m.underLoad(t)
			for _, ahead := range []time.Duration{jump, 0, jump, -jump, jump} {
				further += time.Second
				m.set(t, ahead+further)
				before := m.judged.Load()
				await(t, "responses", func() bool { return m.judged.Load() > before+20 || t.Failed() })
			}
			stop()
			m.checkAll(t)
			if moves++; moves%restartEach == 0 {
				m.restart(t, restarts%2 == 0)
				restarts++
				m.checkAll(t)
				m.set(t, 0)
				m.checkAll(t)
				m.restart(t, restarts%2 == 0)
			}
			m.set(t, 0)
			m.checkAll(t)
			if t.Failed() {
				t.Fatalf("with the clock moved by %v: %s", jump, m.s.out)
			}
		}
	}
	if fresh := m.issue(t, 60); statusOf(t, m.s, fresh.text) != 200 {
		t.Error("the server rejects a new token at the end")
	}
	if strings.Contains(m.s.out.String(), "panic") {
		t.Errorf("the server panicked: %s", m.s.out)
	}
	t.Logf("%d jumps, %d restarts, %d tokens, %d verifications, %d of them judged, none wrong",
		moves, restarts, len(m.all()), m.verified.Load(), m.judged.Load())
}

// TestClockJumps moves the server's clock under load. No token is accepted before its time of issue
// or after its expiry, and no revoked token is accepted.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	jumpUnderLoad(t, 1, 3)
}

// TestClockAheadAtStart starts the server with its clock ten years ahead and lets it purge. Once
// the clock is right, every token is judged as before.
func TestClockAheadAtStart(t *testing.T) {
	t.Parallel()
	m := newClockTest(t)
	m.s.kill()
	m.set(t, 10*year)
	m.restart(t, false)
	for range 2 { // by the second time the set in memory has been swept, too
		execSQL(t, filepath.Join(m.s.Dir, "latchkey.db"), `INSERT INTO endings
			(seq, uid, token_order, earlier_too, expires_at, ended_at, reason) VALUES (-1, 9, 9, 0, 9, 9, 'long ago')`)
		rewriteRevocationChecksum(t, filepath.Join(m.s.Dir, "latchkey.db"))
		await(t, "the purge", func() bool {
			return querySQL(t, filepath.Join(m.s.Dir, "latchkey.db"),
				"SELECT COUNT(*) FROM endings WHERE seq = -1") == 0
		})
	}
	m.checkAll(t)
	m.set(t, 0)
	m.checkAll(t)
	m.revoke(t, m.all()[0])
	m.restart(t, true)
	m.checkAll(t)
}
