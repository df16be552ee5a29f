package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/crypto/blake2b"

	"latchkey/models"
)

// ErrTooManyAttempts rejects a login because too many attempts have failed.
var ErrTooManyAttempts = errors.New("too many failed attempts")

// ErrTooManyRegistrations rejects a registration because its network has had too many.
var ErrTooManyRegistrations = errors.New("too many registrations")

// LoginError is a rejected login or registration, with the state of its limit. Reason is
// ErrUnknownAccount, ErrWrongPassword, ErrTooManyAttempts or ErrTooManyRegistrations.
type LoginError struct {
	Reason error
	Limit  int           // attempts that may fail without a wait
	Window time.Duration // in which so many are forgotten
	Left   int           // attempts that are left without a wait
	Reset  time.Duration // until the next attempt is allowed if none is left, else until all are
}

// Error returns the reason's text.
func (e *LoginError) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *LoginError) Unwrap() error { return e.Reason }

// describe sets the state of the limit.
func (e *LoginError) describe(b *bucket, l *limit, now time.Duration) {
	failures := b.failures(l, now)
	e.Limit, e.Window = l.attempts, l.window
	e.Left, e.Reset = max(0, l.attempts-failures), b.clearsAt-now
	if e.Left == 0 {
		e.Reset = l.wait(failures)
	}
}

// maxAttempts is the maximum of the configured numbers of attempts.
const maxAttempts = 1 << 30

// maxBuckets is the maximum number of buckets, in memory and in the store. Beyond it, the least
// recently used is dropped.
const maxBuckets = 1 << 16

// bucketKey identifies a bucket by a keyed hash. Neither accounts nor addresses are stored, nor
// passwords that someone typed into the wrong field.
type bucketKey [16]byte

// limitKey is what a limit applies to, such as an account from a network.
type limitKey struct {
	bucket bucketKey
	limit  *limit
}

// limit defines how many attempts may fail without a wait, and how long to wait after each further
// one.
type limit struct {
	attempts  int           // that may fail without a wait
	window    time.Duration // in which so many are forgotten, one after the other
	firstWait time.Duration // after the last free attempt; it doubles with each further one
	maxWait   time.Duration
}

// accountLimit is for one account from one network, or from one device that has logged in before.
func accountLimit(attempts int) *limit {
	return &limit{attempts: attempts, window: 24 * time.Hour, firstWait: 10 * time.Second,
		maxWait: time.Hour}
}

// networkLimit is for all accounts from one network.
func networkLimit(attempts int) *limit {
	return &limit{attempts: attempts, window: time.Hour, firstWait: time.Second,
		maxWait: time.Minute}
}

// times returns a limit that allows a multiple of the attempts.
func (l *limit) times(factor int) *limit {
	wide := *l
	wide.attempts = factor * min(l.attempts, maxAttempts/factor)
	return &wide
}

// interval is how long one failed attempt counts.
func (l *limit) interval() time.Duration { return l.window / time.Duration(l.attempts) }

// wait returns the time between two attempts after a number of failures.
func (l *limit) wait(failures int) time.Duration {
	wait := l.firstWait
	for range min(failures-l.attempts, 30) {
		wait = min(2*wait, l.maxWait)
	}
	return wait
}

// loginLimiter limits failed logins. An attempt is reserved before its password is hashed, so that
// parallel attempts are counted like sequential ones. It is safe for concurrent use.
type loginLimiter struct {
	store    *models.Store
	key      []byte
	accounts *limit
	networks *limit
	started  time.Time

	mu      sync.Mutex
	buckets *simplelru.LRU[bucketKey, *bucket]
	waiting int
	settled chan struct{} // closed when a pending attempt is decided
}

// loadLimiter resumes from the stored counts.
func loadLimiter(
	ctx context.Context, store *models.Store, key MasterKey, o Options,
) (*loginLimiter, error) {
	buckets, err := simplelru.NewLRU[bucketKey, *bucket](maxBuckets, nil)
	if err != nil {
		return nil, err
	}
	l := &loginLimiter{store: store, key: key.derive("attempts"), started: time.Now(),
		accounts: accountLimit(o.AccountAttempts), networks: networkLimit(o.NetworkAttempts),
		buckets: buckets, settled: make(chan struct{})}
	err = store.Failures(ctx, l.started.Unix(), maxBuckets, func(f models.Failures) {
		if len(f.Key) == len(bucketKey{}) {
			b := &bucket{}
			b.restore(f, l.started, 0)
			l.buckets.Add(bucketKey(f.Key), b)
		}
	})
	return l, err
}

func (l *loginLimiter) now() time.Duration { return time.Since(l.started) }

// limitKey derives a key from its kind and its parts. Lengths keep the parts apart.
func (l *loginLimiter) limitKey(limit *limit, kind string, parts ...string) limitKey {
	hash, _ := blake2b.New(len(bucketKey{}), l.key) // fails only for a wrong size
	for _, part := range append([]string{kind}, parts...) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return limitKey{bucketKey(hash.Sum(nil)), limit}
}

// keysFor returns the limit keys of a client without a known device: the account from each of its
// networks, and the networks. A loopback address has no network limit, because it may be a proxy
// that is not configured as trusted and stands for all its clients. The order is the same for all
// clients, so that two transactions of PostgreSQL never wait for each other's rows.
func (l *loginLimiter) keysFor(address, account string) []limitKey {
	account = models.AccountKey(account)
	networks := networksOf(address)
	if len(networks) == 0 {
		return []limitKey{l.limitKey(l.accounts, "account", "", account)}
	}
	return append(l.networkKeys(l.accounts, "account", networks, account),
		l.networkKeys(l.networks, "network", networks)...)
}

// registrationKeys returns the limit keys of a registration: the client's networks, with the limits
// that they have for failed logins, but counted apart. A loopback address has none.
func (l *loginLimiter) registrationKeys(address string) []limitKey {
	return l.networkKeys(l.networks, "registration", networksOf(address))
}

// networkKeys returns one limit key of a kind for each network, with the limit times its factor.
func (l *loginLimiter) networkKeys(
	limit *limit, kind string, networks []network, parts ...string,
) []limitKey {
	keys := make([]limitKey, len(networks))
	for i, n := range networks {
		keys[i] = l.limitKey(limit.times(n.factor), kind, append([]string{n.prefix}, parts...)...)
	}
	return keys
}

// reserve starts an attempt, which one of the reservation's methods must end. While pending
// attempts decide whether it is allowed, it waits for them. Errors: a *LoginError of
// ErrTooManyAttempts, ErrBusy, and the store's.
func (l *loginLimiter) reserve(ctx context.Context, keys []limitKey) (*reservation, error) {
	if err := l.refresh(ctx, keys); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		r := &reservation{limiter: l, keys: keys, buckets: l.find(keys)}
		allowed, wait := r.check()
		switch {
		case wait > 0:
			account := keys[0].limit
			return nil, &LoginError{Reason: ErrTooManyAttempts, Limit: account.attempts,
				Window: account.window, Reset: wait}
		case allowed:
			for i, key := range keys {
				r.buckets[i].pending++
				l.buckets.Add(key.bucket, r.buckets[i])
			}
			return r, nil
		case l.waiting >= maxWaiting:
			return nil, ErrBusy
		}
		if err := l.awaitSettled(ctx); err != nil {
			return nil, err
		}
	}
}

// refresh reads the counts of the other nodes of a shared store.
func (l *loginLimiter) refresh(ctx context.Context, keys []limitKey) error {
	if !l.store.Shared() {
		return nil
	}
	before, asked := l.snapshot(keys), make([][]byte, len(keys))
	for i, key := range keys {
		asked[i] = key.bucket[:]
	}
	stored := map[bucketKey]models.Failures{}
	err := l.store.FailuresByKey(ctx, asked, func(f models.Failures) { stored[bucketKey(f.Key)] = f })
	if err == nil {
		l.merge(keys, before, stored)
	}
	return err
}

// merge takes over the stored counts, but for buckets that changed since before: what was read for
// them is old.
func (l *loginLimiter) merge(
	keys []limitKey, before []bucket, stored map[bucketKey]models.Failures,
) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, b := range l.find(keys) {
		key := keys[i].bucket
		f, found := stored[key]
		switch {
		case b.changes != before[i].changes:
		case found:
			b.restore(f, time.Now(), l.now())
			l.buckets.Add(key, b)
		default: // cleared by a successful login
			b.clear()
		}
	}
}

func (l *loginLimiter) snapshot(keys []limitKey) []bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	buckets := make([]bucket, len(keys))
	for i, b := range l.find(keys) {
		buckets[i] = *b
	}
	return buckets
}

// awaitSettled waits until a pending attempt is decided. The caller holds the lock, which is
// released meanwhile.
func (l *loginLimiter) awaitSettled(ctx context.Context) error {
	settled := l.settled
	l.waiting++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.waiting--
	}()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}

// find returns the buckets of some keys. A missing one is not added to the LRU before it counts
// something, so that rejected attempts displace no bucket.
func (l *loginLimiter) find(keys []limitKey) []*bucket {
	buckets := make([]*bucket, len(keys))
	for i, key := range keys {
		b, ok := l.buckets.Get(key.bucket)
		if !ok {
			b = &bucket{}
		}
		buckets[i] = b
	}
	return buckets
}
