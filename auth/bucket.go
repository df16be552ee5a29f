package auth

import (
	"time"

	"latchkey/models"
)

// bucket counts the failed attempts under one limit key. Its times count from the start of the
// limiter.
type bucket struct {
	clearsAt time.Duration // when the last failure is forgotten
	failedAt time.Duration // when the last attempt failed
	pending  int           // attempts that are reserved and not decided yet
	changes  int           // of the count, which may return to an earlier value
}

// failures returns how many failed attempts count now.
func (b *bucket) failures(l *limit, now time.Duration) int {
	if b.clearsAt <= now {
		return 0
	}
	return int((b.clearsAt - now + l.interval() - 1) / l.interval())
}

// check reports whether one more attempt is allowed now. If it is not, wait is the time until it
// is, or 0 if that depends on pending attempts.
func (b *bucket) check(l *limit, now time.Duration) (allowed bool, wait time.Duration) {
	failures := b.failures(l, now)
	switch {
	case failures+b.pending < l.attempts:
		return true, 0
	case b.pending > 0:
		return false, 0
	}
	wait = b.failedAt + l.wait(failures) - now
	return wait <= 0, wait
}

// fail counts one failed attempt that could not be stored.
func (b *bucket) fail(l *limit, now time.Duration) {
	b.clearsAt = max(b.clearsAt, now) + l.interval()
	b.failedAt = now
	b.changes++
}

// failStored counts one failed attempt, which the stored counts include. The bucket may include it
// already: another attempt may have read the store in the meantime.
func (b *bucket) failStored(stored bucket, now time.Duration) {
	b.clearsAt = max(b.clearsAt, stored.clearsAt)
	b.failedAt = now
	b.changes++
}

// clear forgets the failed attempts.
func (b *bucket) clear() {
	b.clearsAt = 0
	b.changes++
}

// restore sets the bucket from the stored counts. now is the time since the start of the limiter,
// and clock the system time, at which it is called.
func (b *bucket) restore(f models.Failures, clock time.Time, now time.Duration) {
	milliseconds := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	ago := max(0, milliseconds(clock.UnixMilli()-f.FailedAt)) // the clock may have been set back
	b.failedAt = now - ago
	b.clearsAt = b.failedAt + milliseconds(f.ClearsAt-f.FailedAt)
	b.changes++
}
