package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The queue before the hashing slots.
const (
	maxWaiting = 64
	maxWait    = 2 * time.Second
)

// origin is for whom a secret is hashed. An empty part is not known and shared with nobody.
type origin struct{ network, account string }

func (o origin) shares(other origin) bool {
	return o.network != "" && o.network == other.network ||
		o.account != "" && o.account == other.account
}

// hashQueue lets so many in at a time; the others wait, not too many and not too long. It goes round
// by round, in each of which every network and every account has one turn, so that a thousand
// logins from one network or for one account cost the first one from elsewhere no more than a
// round. It is safe for concurrent use.
type hashQueue struct {
	mu      sync.Mutex
	free    int // slots
	round   int64
	served  []origin // in this round
	waiting []*waiter
}

type waiter struct {
	origin origin
	round  int64
	turn   chan error // nil lets it in
}

// enter takes a slot, which leave gives back. Errors: ErrBusy.
func (q *hashQueue) enter(ctx context.Context, o origin) error {
	q.mu.Lock()
	if q.free > 0 { // then nobody waits
		q.free--
		q.round++
		q.served = append(q.served[:0], o)
		q.mu.Unlock()
		return nil
	}
	w := &waiter{origin: o, round: q.roundOf(o), turn: make(chan error, 1)}
	if len(q.waiting) >= maxWaiting && !q.displace(w.round) {
		q.mu.Unlock()
		return ErrBusy
	}
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
		return q.abandon(w, ctx.Err())
	}
}

// roundOf is the first round in which neither the network nor the account has another.
func (q *hashQueue) roundOf(o origin) int64 {
	round := q.round
	if slices.ContainsFunc(q.served, o.shares) {
		round++
	}
	for _, w := range q.waiting {
		if w.origin.shares(o) {
			round = max(round, w.round+1)
		}
	}
	return round
}

// displace turns away whoever waits for the latest round, the last of those, if it is later than
// the one given.
func (q *hashQueue) displace(round int64) bool {
	last := 0
	for i, w := range q.waiting {
		if w.round >= q.waiting[last].round {
			last = i
		}
	}
	if q.waiting[last].round <= round {
		return false
	}
	q.waiting[last].turn <- ErrBusy
	q.waiting = slices.Delete(q.waiting, last, last+1)
	return true
}

// abandon leaves the queue, unless the turn has come in the same moment.
func (q *hashQueue) abandon(w *waiter, why error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return <-w.turn
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return fmt.Errorf("%w: %w", ErrBusy, why)
}

// leave gives the slot back, or on to whoever waits for the earliest round, the first of those.
func (q *hashQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	first := 0
	for i, w := range q.waiting {
		if w.round < q.waiting[first].round {
			first = i
		}
	}
	next := q.waiting[first]
	q.waiting = slices.Delete(q.waiting, first, first+1)
	if next.round > q.round {
		q.round, q.served = next.round, q.served[:0]
	}
	q.served = append(q.served, next.origin)
	next.turn <- nil
}
