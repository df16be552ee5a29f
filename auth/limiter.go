package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/crypto/blake2b"

	"latchkey/models"
)

// ErrTooMany says that too many tries were wrong to take another one yet.
var ErrTooMany = errors.New("too many wrong tries")

// Refusal is a refused login, and how many more may be wrong.
type Refusal struct {
	Reason error         // ErrUnknownAccount, ErrWrongSecret or ErrTooMany
	Limit  int           // wrong tries without a wait
	Window time.Duration // in which as many are forgotten
	Left   int           // of them
	Reset  time.Duration // until the next try is taken if none is left, else until all are back
}

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason.Error() }

// Unwrap is the reason.
func (r *Refusal) Unwrap() error { return r.Reason }

// allowance says how many tries may be wrong, and how long it takes from one to the next beyond
// that.
type allowance struct {
	tries int
	span  time.Duration // in which that many are forgotten, one after the other
	first time.Duration // the wait after the last of them, doubled with each more
	most  time.Duration // the longest wait
}

// accountAllowance is for one account from one network, or from one device that knows it.
func accountAllowance(tries int) *allowance {
	return &allowance{tries: tries, span: 24 * time.Hour, first: 10 * time.Second, most: time.Hour}
}

// networkAllowance is for one network, whatever the accounts.
func networkAllowance(tries int) *allowance {
	return &allowance{tries: tries, span: time.Hour, first: time.Second, most: time.Minute}
}

// forget is how long one wrong try counts.
func (a *allowance) forget() time.Duration { return a.span / time.Duration(a.tries) }

// wait is the time from one wrong try to the next, when so many were wrong.
func (a *allowance) wait(wrong int) time.Duration {
	wait := a.first
	for range min(wrong-a.tries, 30) {
		wait = min(2*wait, a.most)
	}
	return wait
}

// tally is what is known of the tries at one thing. Times count from the start of the process.
type tally struct {
	clears  time.Duration // when all that were wrong are forgotten
	failed  time.Duration // when the last one was wrong
	pending int           // under way: reserved, neither right nor wrong yet
}

// wrong is how many wrong tries count now.
func (t *tally) wrong(a *allowance, now time.Duration) int {
	if t.clears <= now {
		return 0
	}
	return int((t.clears - now + a.forget() - 1) / a.forget())
}

// judge says whether another try may be made now; if not, how long it has to wait, or 0 when that
// depends on those under way.
func (t *tally) judge(a *allowance, now time.Duration) (free bool, wait time.Duration) {
	wrong := t.wrong(a, now)
	switch {
	case wrong+t.pending < a.tries:
		return true, 0
	case t.pending > 0:
		return false, 0
	}
	wait = t.failed + a.wait(wrong) - now
	return wait <= 0, wait
}

// maxTallies bounds how many things are counted, in memory and in the store alike. Beyond it the
// one that was not tried for the longest time is forgotten.
const maxTallies = 1 << 16

// tallyKey names what is tried at by a keyed hash: neither accounts nor addresses are kept, nor
// the secrets that people type into the wrong field.
type tallyKey [16]byte

// attempts counts wrong tries. A try is reserved before its secret is hashed, so that many at once
// are no more than one after the other. It is safe for concurrent use.
type attempts struct {
	store    *models.Store
	key      []byte
	accounts *allowance
	networks *allowance
	started  time.Time

	mu      sync.Mutex
	tallies *simplelru.LRU[tallyKey, *tally]
	waiting int
	settled chan struct{} // closed when a try is no longer under way
}

// loadAttempts goes on counting where the store says that counting has come to.
func loadAttempts(
	ctx context.Context, store *models.Store, secret Secret, perAccount, perNetwork int,
) (*attempts, error) {
	tallies, err := simplelru.NewLRU[tallyKey, *tally](maxTallies, nil)
	if err != nil {
		return nil, err
	}
	a := &attempts{store: store, key: secret.derive("attempts"), started: time.Now(),
		accounts: accountAllowance(perAccount), networks: networkAllowance(perNetwork),
		tallies: tallies, settled: make(chan struct{})}
	err = store.Attempts(ctx, a.started.Unix(), maxTallies, func(m models.Attempts) {
		if len(m.Key) == len(tallyKey{}) {
			known := &tally{}
			known.set(m, a.started, 0)
			a.tallies.Add(tallyKey(m.Key), known)
		}
	})
	return a, err
}

// set takes over what the store has counted, at a time that is so long after the start.
func (t *tally) set(m models.Attempts, clock time.Time, now time.Duration) {
	milliseconds := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	ago := max(0, milliseconds(clock.UnixMilli()-m.FailedAt)) // a clock may have been set back
	t.failed, t.clears = now-ago, now-ago+milliseconds(m.ClearsAt-m.FailedAt)
}

// subject is one thing that is tried at.
type subject struct {
	key       tallyKey
	allowance *allowance
}

// subject names a thing by its kind and what tells it from others of the kind.
func (a *attempts) subject(allowed *allowance, kind string, parts ...string) subject {
	hash, _ := blake2b.New(len(tallyKey{}), a.key) // errs only for a bad size
	for _, part := range append([]string{kind}, parts...) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return subject{tallyKey(hash.Sum(nil)), allowed}
}

// from is what a stranger tries at: an account from a network, and the network. This machine
// itself is no network: a proxy on it that nobody told us to trust stands for all its clients.
func (a *attempts) from(address, account string) []subject {
	network := networkOf(address)
	pair := a.subject(a.accounts, "account", network, models.AccountKey(account))
	if network == "" {
		return []subject{pair}
	}
	return []subject{pair, a.subject(a.networks, "network", network)}
}

// networkOf is the network of an address: itself, or 64 bits of an IPv6 address, which is what one
// customer has at least. It is "" for this machine and for what is no address.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if ip = ip.Unmap().WithZone(""); err != nil || ip.IsLoopback() {
		return ""
	}
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	network, _ := ip.Prefix(bits) // errs only for too many bits
	return network.String()
}

// attempt is one try under way, at one or more things. The first is the account's.
type attempt struct {
	attempts *attempts
	subjects []subject
	tallies  []*tally
	over     bool
}

// reserve takes a try, which one of attempt's methods must end. While those under way decide
// whether it may be taken, it waits for them. Errors: a *Refusal of ErrTooMany, ErrBusy.
func (a *attempts) reserve(ctx context.Context, subjects []subject) (*attempt, error) {
	if err := a.refresh(ctx, subjects); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		t := &attempt{attempts: a, subjects: subjects, tallies: a.find(subjects)}
		free, wait := t.judge()
		switch {
		case wait > 0:
			allowed := subjects[0].allowance
			return nil, &Refusal{Reason: ErrTooMany, Limit: allowed.tries, Window: allowed.span,
				Reset: wait}
		case free:
			for i, s := range subjects {
				t.tallies[i].pending++
				a.tallies.Add(s.key, t.tallies[i])
			}
			return t, nil
		case a.waiting >= maxWaiting:
			return nil, ErrBusy
		}
		if err := a.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// refresh learns what other nodes have counted.
func (a *attempts) refresh(ctx context.Context, subjects []subject) error {
	if !a.store.Shared() {
		return nil
	}
	before, keys := make(map[tallyKey]tally, len(subjects)), make([][]byte, len(subjects))
	a.mu.Lock()
	for i, known := range a.find(subjects) {
		before[subjects[i].key], keys[i] = *known, subjects[i].key[:]
	}
	a.mu.Unlock()
	stored := map[tallyKey]models.Attempts{}
	err := a.store.AttemptsAt(ctx, keys, func(m models.Attempts) { stored[tallyKey(m.Key)] = m })
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, known := range a.find(subjects) {
		key := subjects[i].key
		m, found := stored[key]
		switch {
		case known.clears != before[key].clears: // counted since we asked
		case found:
			known.set(m, time.Now(), a.now())
			a.tallies.Add(key, known)
		default: // forgotten, by a try that was right
			known.clears = 0
		}
	}
	return nil
}

// pause waits until a try is no longer under way. It is called with the lock, which it gives up
// meanwhile.
func (a *attempts) pause(ctx context.Context) error {
	settled := a.settled
	a.waiting++
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.waiting--
	}()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}

// find returns the tallies of some things, empty ones where nothing has been counted: what is not
// reserved must not crowd out what counts.
func (a *attempts) find(subjects []subject) []*tally {
	tallies := make([]*tally, len(subjects))
	for i, s := range subjects {
		known, ok := a.tallies.Get(s.key)
		if !ok {
			known = &tally{}
		}
		tallies[i] = known
	}
	return tallies
}

// judge is tally.judge of all its things: all must be free, and the longest wait counts.
func (t *attempt) judge() (free bool, wait time.Duration) {
	free = true
	for i, s := range t.subjects {
		f, w := t.tallies[i].judge(s.allowance, t.attempts.now())
		free, wait = free && f, max(wait, w)
	}
	return free, wait
}

func (a *attempts) now() time.Duration { return time.Since(a.started) }

// settle ends a try, once, with work on each of its tallies, and wakes whoever waits for that.
func (t *attempt) settle(work func(s subject, known *tally)) {
	a := t.attempts
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.over {
		return
	}
	t.over = true
	for i, s := range t.subjects {
		known := t.tallies[i]
		known.pending--
		work(s, known)
		if known.pending == 0 && known.clears <= a.now() {
			a.tallies.Remove(s.key)
		}
	}
	close(a.settled)
	a.settled = make(chan struct{})
}

// giveBack ends a try that came to nothing, if it is not over.
func (t *attempt) giveBack() { t.settle(func(subject, *tally) {}) }

// right ends a try that was right. What was wrong before at the account is forgotten; at the
// network it is not, or whoever has an account of his own could make it so.
func (t *attempt) right(ctx context.Context) error {
	var stored bool
	t.settle(func(s subject, known *tally) {
		if s.key == t.subjects[0].key {
			stored, known.clears = known.clears > 0, 0
		}
	})
	if !stored {
		return nil
	}
	return t.attempts.store.ForgetAttempts(ctx, t.subjects[0].key[:])
}

// wrong ends a try that was wrong, for a reason, and returns the Refusal that says so, or what
// kept it from being stored.
func (t *attempt) wrong(ctx context.Context, reason error) error {
	rows := make([]models.Attempts, len(t.subjects))
	now := time.Now()
	for i, s := range t.subjects {
		rows[i] = models.Attempts{Key: s.key[:], FailedAt: now.UnixMilli(),
			ClearsAt: now.Add(s.allowance.forget()).UnixMilli()}
	}
	elsewhere := map[tallyKey]tally{}
	err := t.attempts.store.NoteAttempts(ctx, rows, func(m models.Attempts) {
		var counted tally
		counted.set(m, now, now.Sub(t.attempts.started))
		elsewhere[tallyKey(m.Key)] = counted
	})
	refusal := &Refusal{Reason: reason}
	at := now.Sub(t.attempts.started)
	t.settle(func(s subject, known *tally) { // also when it could not be stored
		known.clears = max(max(known.clears, at)+s.allowance.forget(), elsewhere[s.key].clears)
		known.failed = at
		if s.key == t.subjects[0].key {
			refusal.tell(known, s.allowance, at)
		}
	})
	if err != nil {
		return err
	}
	return refusal
}

// tell fills in how many tries are left.
func (r *Refusal) tell(t *tally, a *allowance, now time.Duration) {
	wrong := t.wrong(a, now)
	r.Limit, r.Window = a.tries, a.span
	r.Left, r.Reset = max(0, a.tries-wrong), t.clears-now
	if r.Left == 0 {
		r.Reset = a.wait(wrong)
	}
}
