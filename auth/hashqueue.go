package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	maxWaiting = 64              // callers in the queue
	maxWait    = 2 * time.Second // of one caller
)

// origin is the network and the account that a hash is computed for. An empty part is unknown and
// equals no other.
type origin struct{ network, account string }

func (o origin) shares(other origin) bool {
	return o.network != "" && o.network == other.network ||
		o.account != "" && o.account == other.account
}

// hashQueue is a fair queue for a number of slots, with a bounded length and waiting time. It works
// in rounds. In each round every network and every account has one turn, so that a thousand logins
// from one network or for one account delay a login from elsewhere by at most one round. It is safe
// for concurrent use.
type hashQueue struct {
	mu      sync.Mutex
	free    int // slots
	round   int64
	served  []origin // in the current round
	waiting []*waiter
}

type waiter struct {
	origin origin
	round  int64
	turn   chan error // nil: it has a slot
}

// enter waits for a slot, which leave gives back. Errors: ErrBusy.
func (q *hashQueue) enter(ctx context.Context, o origin) error {
	q.mu.Lock()
	if q.free > 0 { // then the queue is empty
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

// roundOf returns the first round in which neither the network nor the account has a turn yet.
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

// displace rejects the last waiter of the latest round, if that is later than round, and reports
// whether it did.
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

// abandon removes a waiter from the queue, unless its turn has come at the same moment.
func (q *hashQueue) abandon(w *waiter, cause error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return <-w.turn
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return fmt.Errorf("%w: %w", ErrBusy, cause)
}

// leave gives the slot to the first waiter of the earliest round, or back.
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
