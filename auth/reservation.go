package auth

import (
	"context"
	"time"

	"latchkey/models"
)

// reservation is one pending attempt: a login, or a registration. A login counts under one or more
// limit keys, the account's first; a registration under those of its networks, if any.
type reservation struct {
	limiter *loginLimiter
	keys    []limitKey
	buckets []*bucket
	done    bool
}

// check is bucket.check for all keys: each must allow the attempt, and the longest wait counts.
func (r *reservation) check() (allowed bool, wait time.Duration) {
	allowed = true
	for i, key := range r.keys {
		a, w := r.buckets[i].check(key.limit, r.limiter.now())
		allowed, wait = allowed && a, max(wait, w)
	}
	return allowed, wait
}

// settle ends the attempt, once: it updates each bucket and wakes those who wait for the decision.
func (r *reservation) settle(update func(key limitKey, b *bucket)) {
	l := r.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.done {
		return
	}
	r.done = true
	for i, key := range r.keys {
		b := r.buckets[i]
		b.pending--
		update(key, b)
		if b.pending == 0 && b.clearsAt <= l.now() {
			l.buckets.Remove(key.bucket)
		}
	}
	close(l.settled)
	l.settled = make(chan struct{})
}

// release ends an attempt that was not decided. After fail or succeed it does nothing.
func (r *reservation) release() { r.settle(func(limitKey, *bucket) {}) }

// decide ends the attempt, once its password was compared. Errors: a *LoginError, and the store's.
func (r *reservation) decide(ctx context.Context, found models.Credentials, right bool) error {
	switch {
	case found.PasswordHash == "":
		return r.fail(ctx, ErrUnknownAccount)
	case right && found.User.State == models.Pending:
		return r.fail(ctx, ErrPending)
	case !right || found.User.State != models.Active:
		return r.fail(ctx, ErrWrongPassword)
	}
	return r.succeed(ctx)
}

// succeed ends an attempt with the right password and forgets the failures of the account. Those of
// the network stay, or a guesser with an account could clear them by logging in to it.
func (r *reservation) succeed(ctx context.Context) error {
	account, stored := r.keys[0], false
	r.settle(func(key limitKey, b *bucket) {
		if key.bucket == account.bucket {
			stored = b.clearsAt > 0
			b.clear()
		}
	})
	if !stored {
		return nil
	}
	return r.limiter.store.DeleteFailures(ctx, account.bucket[:])
}

// fail counts a failed attempt. It returns a *LoginError with the reason, or the store's error; the
// attempt counts in either case.
func (r *reservation) fail(ctx context.Context, reason error) error {
	refusal, err := r.count(ctx)
	if err != nil {
		return err
	}
	refusal.Reason = reason
	return refusal
}

// count ends the attempt and counts it, in the store first. It returns the state of the first
// limit. Errors: the store's; the attempt counts in either case.
func (r *reservation) count(ctx context.Context) (*LoginError, error) {
	clock := time.Now()
	now := clock.Sub(r.limiter.started)
	stored, err := r.record(ctx, clock, now)
	state := &LoginError{}
	r.settle(func(key limitKey, b *bucket) {
		if counted, ok := stored[key.bucket]; ok {
			b.failStored(counted, now)
		} else {
			b.fail(key.limit, now)
		}
		if key.bucket == r.keys[0].bucket {
			state.describe(b, key.limit, now)
		}
	})
	return state, err
}

// record stores a failed attempt and returns the counts of all nodes together.
func (r *reservation) record(
	ctx context.Context, clock time.Time, now time.Duration,
) (map[bucketKey]bucket, error) {
	rows := make([]models.Failures, len(r.keys))
	for i, key := range r.keys {
		rows[i] = models.Failures{Key: key.bucket[:], FailedAt: clock.UnixMilli(),
			ClearsAt: clock.Add(key.limit.interval()).UnixMilli()}
	}
	stored := map[bucketKey]bucket{}
	err := r.limiter.store.RecordFailures(ctx, rows, func(f models.Failures) {
		var b bucket
		b.restore(f, clock, now)
		stored[bucketKey(f.Key)] = b
	})
	return stored, err
}
