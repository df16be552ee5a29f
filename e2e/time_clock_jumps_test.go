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

// timed is a token whose times are known.
type timed struct {
	text            string
	issued, expires int64        // Unix seconds by the server's clock
	state           atomic.Int32 // live, ending, ended or forgettable
}

const (
	live int32 = iota
	ending
	ended
	forgettable // ended, and expired for more than a day by a clock that was no later than the true time
)

// newTimed reads when a token was issued, which is its first ten bytes.
func newTimed(t testing.TB, text string, lifetime int64) *timed {
	t.Helper()
	head, err := base64.URLEncoding.DecodeString(text[:16])
	must(t, err)
	issued, err := strconv.ParseInt(string(head[:10]), 10, 64)
	must(t, err)
	return &timed{text: text, issued: issued, expires: issued + lifetime}
}

// accepted says whether a token that was not ended is good in a second.
func (k *timed) accepted(now int64) bool { return k.issued <= now+60 && now < k.expires }

// moved is a server on a clock that is moved, and every token that it gave.
type moved struct {
	*clock
	s      *server
	owner  string // account
	mu     sync.Mutex
	tokens []*timed

	verified, judged atomic.Int64
}

func newMoved(t *testing.T) *moved {
	t.Helper()
	m := &moved{clock: newClock(t), owner: "ann@example.com"}
	m.s = m.start(t, t.TempDir())
	m.keep(newTimed(t, account(t, m.s, m.owner), 7200))
	for _, lifetime := range []int64{1, 2, 61, 3600, 7200, 86400, 4320 * 3600} {
		for range 2 {
			m.issue(t, lifetime)
		}
		m.end(t, m.issue(t, lifetime))
	}
	return m
}

// set moves the clock. An ended token may be forgotten a day after its expiry: if a clock that goes back reaches the
// time in which it was good once more, nothing is promised of it.
func (m *moved) set(t testing.TB, ahead time.Duration) {
	t.Helper()
	future := time.Now().Add(min(ahead, 0)).Unix()
	for _, k := range m.all() {
		if k.expires+86400 < future+60 {
			k.state.CompareAndSwap(ended, forgettable)
		}
	}
	m.clock.set(t, ahead)
}

func (m *moved) keep(k *timed) *timed {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, k)
	return k
}

func (m *moved) all() []*timed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tokens[:len(m.tokens):len(m.tokens)]
}

// issue makes a token of a lifetime in seconds.
func (m *moved) issue(t testing.TB, lifetime int64) *timed {
	t.Helper()
	fresh := login(t, m.s, m.owner)
	body := fmt.Sprintf(`{"label":"service","lifetime":%d}`, lifetime)
	return m.keep(newTimed(t, tokenIn(t, request(t, "POST", m.s.URL+"/v1/tokens", body, asJSON, bearer(fresh))), lifetime))
}

// end ends a token by itself; a clock that was moved meanwhile may refuse it.
func (m *moved) end(t testing.TB, k *timed) {
	t.Helper()
	k.state.Store(ending)
	if got := request(t, "DELETE", m.s.URL+"/v1/token", "", bearer(k.text)); got.Status == 202 {
		k.state.Store(ended)
	} else if got.Status != 401 {
		t.Errorf("ending a token: %d %s", got.Status, got.Body)
	}
}

// check uses a token and judges the answer by what the clock showed meanwhile.
func (m *moved) check(t testing.TB, k *timed) {
	t.Helper()
	moves, before, from, began := m.moves.Load(), k.state.Load(), m.now(), time.Now()
	got, err := tryRequest("GET", m.s.URL+"/v1/verify", "", bearer(k.text))
	to, after := m.now(), k.state.Load()
	m.verified.Add(1)
	took := time.Since(began)
	steady := moves == m.moves.Load() && moves%2 == 0 && before == after && k.accepted(from) == k.accepted(to)
	switch {
	case err != nil || got.Status != 200 && got.Status != 401 || took > 5*time.Second:
		t.Errorf("%d %s after %v, %v", got.Status, got.Body, took, err)
	case before == ended && after == ended && got.Status != 401:
		t.Errorf("an ended token: %d, %d s after its issue, %d s before its expiry", got.Status, to-k.issued, k.expires-to)
	case before == live && steady && (got.Status == 200) != k.accepted(to):
		t.Errorf("%d, %d s after its issue, %d s before its expiry", got.Status, to-k.issued, k.expires-to)
	case before == ended || before == live && steady:
		m.judged.Add(1)
	}
}

func (m *moved) checkAll(t testing.TB) {
	t.Helper()
	for _, k := range m.all() {
		m.check(t, k)
	}
}

// edges moves the clock to the seconds around each token's issue and expiry.
func (m *moved) edges(t *testing.T) {
	t.Helper()
	for _, k := range m.all() {
		for _, second := range []int64{k.issued - 61, k.issued - 60, k.issued, k.expires - 1, k.expires, k.expires + 1} {
			m.set(t, time.Duration(second-time.Now().Unix())*time.Second)
			m.check(t, k)
		}
	}
	m.set(t, 0)
}

// underLoad logs in, ends and verifies until stop is called, while somebody moves the clock.
func (m *moved) underLoad(t *testing.T) (stop func()) {
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
			var answer struct{ Token string }
			if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &answer) != nil {
				t.Errorf("login: %d %s %v", got.Status, got.Body, err)
				return
			}
			k := m.keep(newTimed(t, answer.Token, 7200))
			if n%2 == 0 {
				k.state.Store(ending)
				if got, err := tryRequest("DELETE", url+"/v1/token", "", bearer(k.text)); err == nil && got.Status == 202 {
					k.state.Store(ended)
				}
			}
		}
	})
	return func() {
		over.Store(true)
		wait.Wait()
	}
}

// restart stops the server, in good order or not, and starts it again by the clock as it stands.
func (m *moved) restart(t *testing.T, inOrder bool) {
	t.Helper()
	if inOrder {
		must(t, m.s.stop(t))
	} else {
		m.s.kill()
	}
	if strings.Contains(m.s.out.String(), "panic") {
		t.Errorf("a panic: %s", m.s.out)
	}
	m.s = m.start(t, m.s.Dir)
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// jumps are how far a clock is moved at once.
func jumps() (all []time.Duration) {
	for _, d := range []time.Duration{time.Second, 61 * time.Second, time.Hour, day, 10 * year} {
		all = append(all, d, -d)
	}
	return all
}

// jumpUnderLoad moves the clock by each jump and back, so many times, under load, and restarts the server in every
// so many of these places.
func jumpUnderLoad(t *testing.T, rounds, restartEach int) {
	t.Helper()
	m := newMoved(t)
	m.edges(t)
	places, restarts := 0, 0
	for range rounds {
		for _, jump := range jumps() {
			stop := m.underLoad(t)
			for _, ahead := range []time.Duration{jump, 0, jump, -jump, jump} {
				m.set(t, ahead)
				before := m.judged.Load()
				await(t, "some answers", func() bool { return m.judged.Load() > before+20 || t.Failed() })
			}
			stop()
			m.checkAll(t)
			if places++; places%restartEach == 0 {
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
		t.Error("a new token is refused in the end")
	}
	if strings.Contains(m.s.out.String(), "panic") {
		t.Errorf("a panic: %s", m.s.out)
	}
	t.Logf("%d places, %d restarts, %d tokens, %d verifications, %d of them judged by time, none wrong", places, restarts,
		len(m.all()), m.verified.Load(), m.judged.Load())
}

// TestClockJumps: however the clock of a server jumps under load, no token is accepted before its time or at its
// expiry, and none that was ended.
func TestClockJumps(t *testing.T) { jumpUnderLoad(t, 1, 3) }

// TestClockAheadAtStart: a server that starts while its clock stands ten years ahead forgets nothing that matters
// once the clock is put right, however often it clears away.
func TestClockAheadAtStart(t *testing.T) {
	m := newMoved(t)
	m.s.kill()
	m.set(t, 10*year)
	m.restart(t, false)
	for range 2 { // after the second time the memory has been swept, too
		execSQL(t, filepath.Join(m.s.Dir, "latchkey.db"), `INSERT INTO endings
			(seq, uid, token_order, earlier_too, expires_at, ended_at, reason) VALUES (-1, 9, 9, 0, 9, 9, 'long ago')`)
		rewriteRevocationChecksum(t, filepath.Join(m.s.Dir, "latchkey.db"))
		await(t, "old things to be cleared away", func() bool {
			return querySQL(t, filepath.Join(m.s.Dir, "latchkey.db"), "SELECT COUNT(*) FROM endings WHERE seq = -1") == 0
		})
	}
	m.checkAll(t)
	m.set(t, 0)
	m.checkAll(t)
	m.end(t, m.all()[0])
	m.restart(t, true)
	m.checkAll(t)
}
