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

// ErrTooManyAttempts says that too many tries were wrong to take another one yet.
var ErrTooManyAttempts = errors.New("too many wrong tries")

// LoginError is a refused login, and how many more may be wrong.
type LoginError struct {
	Reason error         // ErrUnknownAccount, ErrWrongPassword or ErrTooManyAttempts
	Limit  int           // wrong tries without a wait
	Window time.Duration // in which as many are forgotten
	Left   int           // of them
	Reset  time.Duration // until the next try is taken if none is left, else until all are back
}

// Error is the reason.
func (r *LoginError) Error() string { return r.Reason.Error() }

// Unwrap is the reason.
func (r *LoginError) Unwrap() error { return r.Reason }

// limit says how many tries may be wrong, and how long it takes from one to the next beyond
// that.
type limit struct {
	tries int
	span  time.Duration // in which that many are forgotten, one after the other
	first time.Duration // the wait after the last of them, doubled with each more
	most  time.Duration // the longest wait
}

// accountLimit is for one account from one network, or from one device that knows it.
func accountLimit(tries int) *limit {
	return &limit{tries: tries, span: 24 * time.Hour, first: 10 * time.Second, most: time.Hour}
}

// networkLimit is for one network, whatever the accounts.
func networkLimit(tries int) *limit {
	return &limit{tries: tries, span: time.Hour, first: time.Second, most: time.Minute}
}

// interval is how long one wrong try counts.
func (a *limit) interval() time.Duration { return a.span / time.Duration(a.tries) }

// wait is the time from one wrong try to the next, when so many were wrong.
func (a *limit) wait(wrong int) time.Duration {
	wait := a.first
	for range min(wrong-a.tries, 30) {
		wait = min(2*wait, a.most)
	}
	return wait
}

// bucket is what is known of the tries at one thing. Times count from the start of the process.
type bucket struct {
	clears  time.Duration // when all that were wrong are forgotten
	failed  time.Duration // when the last one was wrong
	pending int           // under way: reserved, neither right nor wrong yet
}

// failures is how many wrong tries count now.
func (t *bucket) failures(a *limit, now time.Duration) int {
	if t.clears <= now {
		return 0
	}
	return int((t.clears - now + a.interval() - 1) / a.interval())
}

// check says whether another try may be made now; if not, how long it has to wait, or 0 when that
// depends on those under way.
func (t *bucket) check(a *limit, now time.Duration) (free bool, wait time.Duration) {
	wrong := t.failures(a, now)
	switch {
	case wrong+t.pending < a.tries:
		return true, 0
	case t.pending > 0:
		return false, 0
	}
	wait = t.failed + a.wait(wrong) - now
	return wait <= 0, wait
}

// maxBuckets bounds how many things are counted, in memory and in the store alike. Beyond it the
// one that was not tried for the longest time is forgotten.
const maxBuckets = 1 << 16

// bucketKey names what is tried at by a keyed hash: neither accounts nor addresses are kept, nor
// the secrets that people type into the wrong field.
type bucketKey [16]byte

// loginLimiter counts wrong tries. A try is reserved before its secret is hashed, so that many at once
// are no more than one after the other. It is safe for concurrent use.
type loginLimiter struct {
	store    *models.Store
	key      []byte
	accounts *limit
	networks *limit
	started  time.Time

	mu      sync.Mutex
	tallies *simplelru.LRU[bucketKey, *bucket]
	waiting int
	settled chan struct{} // closed when a try is no longer under way
}

// loadLimiter goes on counting where the store says that counting has come to.
func loadLimiter(
	ctx context.Context, store *models.Store, secret MasterKey, o Options,
) (*loginLimiter, error) {
	tallies, err := simplelru.NewLRU[bucketKey, *bucket](maxBuckets, nil)
	if err != nil {
		return nil, err
	}
	a := &loginLimiter{store: store, key: secret.derive("attempts"), started: time.Now(),
		accounts: accountLimit(o.AccountAttempts), networks: networkLimit(o.NetworkAttempts),
		tallies: tallies, settled: make(chan struct{})}
	err = store.Failures(ctx, a.started.Unix(), maxBuckets, func(m models.Failures) {
		if len(m.Key) == len(bucketKey{}) {
			known := &bucket{}
			known.restore(m, a.started, 0)
			a.tallies.Add(bucketKey(m.Key), known)
		}
	})
	return a, err
}

// restore takes over what the store has counted, at a time that is so long after the start.
func (t *bucket) restore(m models.Failures, clock time.Time, now time.Duration) {
	milliseconds := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	ago := max(0, milliseconds(clock.UnixMilli()-m.FailedAt)) // a clock may have been set back
	t.failed, t.clears = now-ago, now-ago+milliseconds(m.ClearsAt-m.FailedAt)
}

// limitKey is one thing that is tried at.
type limitKey struct {
	key   bucketKey
	limit *limit
}

// limitKey names a thing by its kind and what tells it from others of the kind.
func (a *loginLimiter) limitKey(allowed *limit, kind string, parts ...string) limitKey {
	hash, _ := blake2b.New(len(bucketKey{}), a.key) // errs only for a bad size
	for _, part := range append([]string{kind}, parts...) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return limitKey{bucketKey(hash.Sum(nil)), allowed}
}

// keysFor is what a stranger tries at: an account from a network, and the network. This machine
// itself is no network: a proxy on it that nobody told us to trust stands for all its clients.
func (a *loginLimiter) keysFor(address, account string) []limitKey {
	network := networkOf(address)
	pair := a.limitKey(a.accounts, "account", network, models.AccountKey(account))
	if network == "" {
		return []limitKey{pair}
	}
	return []limitKey{pair, a.limitKey(a.networks, "network", network)}
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

// reservation is one try under way, at one or more things. The first is the account's.
type reservation struct {
	attempts *loginLimiter
	subjects []limitKey
	tallies  []*bucket
	over     bool
}

// reserve takes a try, which one of attempt's methods must end. While those under way decide
// whether it may be taken, it waits for them. Errors: a *Refusal of ErrTooManyAttempts, ErrBusy.
func (a *loginLimiter) reserve(ctx context.Context, subjects []limitKey) (*reservation, error) {
	if err := a.refresh(ctx, subjects); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		t := &reservation{attempts: a, subjects: subjects, tallies: a.find(subjects)}
		free, wait := t.check()
		switch {
		case wait > 0:
			allowed := subjects[0].limit
			return nil, &LoginError{Reason: ErrTooManyAttempts, Limit: allowed.tries, Window: allowed.span,
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
func (a *loginLimiter) refresh(ctx context.Context, subjects []limitKey) error {
	if !a.store.Shared() {
		return nil
	}
	before, keys := make(map[bucketKey]bucket, len(subjects)), make([][]byte, len(subjects))
	a.mu.Lock()
	for i, known := range a.find(subjects) {
		before[subjects[i].key], keys[i] = *known, subjects[i].key[:]
	}
	a.mu.Unlock()
	stored := map[bucketKey]models.Failures{}
	err := a.store.FailuresByKey(ctx, keys, func(m models.Failures) { stored[bucketKey(m.Key)] = m })
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
			known.restore(m, time.Now(), a.now())
			a.tallies.Add(key, known)
		default: // forgotten, by a try that was right
			known.clears = 0
		}
	}
	return nil
}

// pause waits until a try is no longer under way. It is called with the lock, which it gives up
// meanwhile.
func (a *loginLimiter) pause(ctx context.Context) error {
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
func (a *loginLimiter) find(subjects []limitKey) []*bucket {
	tallies := make([]*bucket, len(subjects))
	for i, s := range subjects {
		known, ok := a.tallies.Get(s.key)
		if !ok {
			known = &bucket{}
		}
		tallies[i] = known
	}
	return tallies
}

// check is bucket.check of all its things: all must be free, and the longest wait counts.
func (t *reservation) check() (free bool, wait time.Duration) {
	free = true
	for i, s := range t.subjects {
		f, w := t.tallies[i].check(s.limit, t.attempts.now())
		free, wait = free && f, max(wait, w)
	}
	return free, wait
}

func (a *loginLimiter) now() time.Duration { return time.Since(a.started) }

// settle ends a try, once, with work on each of its tallies, and wakes whoever waits for that.
func (t *reservation) settle(work func(s limitKey, known *bucket)) {
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

// release ends a try that came to nothing, if it is not over.
func (t *reservation) release() { t.settle(func(limitKey, *bucket) {}) }

// succeed ends a try that was right. What was wrong before at the account is forgotten; at the
// network it is not, or whoever has an account of his own could make it so.
func (t *reservation) succeed(ctx context.Context) error {
	var stored bool
	t.settle(func(s limitKey, known *bucket) {
		if s.key == t.subjects[0].key {
			stored, known.clears = known.clears > 0, 0
		}
	})
	if !stored {
		return nil
	}
	return t.attempts.store.DeleteFailures(ctx, t.subjects[0].key[:])
}

// fail ends a try that was wrong, for a reason, and returns the Refusal that says so, or what
// kept it from being stored.
func (t *reservation) fail(ctx context.Context, reason error) error {
	rows := make([]models.Failures, len(t.subjects))
	now := time.Now()
	for i, s := range t.subjects {
		rows[i] = models.Failures{Key: s.key[:], FailedAt: now.UnixMilli(),
			ClearsAt: now.Add(s.limit.interval()).UnixMilli()}
	}
	elsewhere := map[bucketKey]bucket{}
	err := t.attempts.store.RecordFailures(ctx, rows, func(m models.Failures) {
		var counted bucket
		counted.restore(m, now, now.Sub(t.attempts.started))
		elsewhere[bucketKey(m.Key)] = counted
	})
	refusal := &LoginError{Reason: reason}
	at := now.Sub(t.attempts.started)
	t.settle(func(s limitKey, known *bucket) { // also when it could not be stored
		known.clears = max(max(known.clears, at)+s.limit.interval(), elsewhere[s.key].clears)
		known.failed = at
		if s.key == t.subjects[0].key {
			refusal.describe(known, s.limit, at)
		}
	})
	if err != nil {
		return err
	}
	return refusal
}

// describe fills in how many tries are left.
func (r *LoginError) describe(t *bucket, a *limit, now time.Duration) {
	wrong := t.failures(a, now)
	r.Limit, r.Window = a.tries, a.span
	r.Left, r.Reset = max(0, a.tries-wrong), t.clears-now
	if r.Left == 0 {
		r.Reset = a.wait(wrong)
	}
}
