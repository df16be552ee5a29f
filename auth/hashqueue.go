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

// origin is what a hash is computed for: the networks of the client, the narrowest first, and the
// account. What is missing is unknown and equals no other.
type origin struct {
	networks []network
	account  string
}

// keys returns what an origin shares with others, as keys of a map.
func (o origin) keys() []any {
	keys := make([]any, 0, 1+len(o.networks))
	if o.account != "" {
		keys = append(keys, o.account)
	}
	for _, n := range o.networks {
		keys = append(keys, n)
	}
	return keys
}

// rank is the place of an origin by some numbers of its keys, to be compared from left to right.
type rank [4]int64

// rankIn returns the rank by the numbers in a map: that of the account or of the widest network,
// whichever is greater, then those of the networks, the widest first.
func (o origin) rankIn(numbers map[any]int64) (r rank) {
	for i, n := range o.networks {
		r[len(o.networks)-i] = numbers[n]
	}
	r[0] = max(numbers[o.account], r[1])
	return r
}

func (r rank) less(other rank) bool { return slices.Compare(r[:], other[:]) < 0 }

// hashQueue is a fair queue for a number of slots, with a bounded length and waiting time. A slot
// goes to the account and the widest network that had theirs longest ago; of the clients in that
// network to the narrower one that had its longest ago; and so on. So a thousand logins from one
// network of any width, or for one account, delay a login from elsewhere by one turn. It is safe
// for concurrent use.
type hashQueue struct {
	mu      sync.Mutex
	free    int // slots
	turns   int64
	served  map[any]int64 // the last turn of each account and each network
	waiting []*waiter     // in order of arrival
}

type waiter struct {
	origin origin
	turn   chan error // nil: it has a slot
}

// enter waits for a slot, which leave gives back. Errors: ErrBusy.
func (q *hashQueue) enter(ctx context.Context, o origin) error {
	q.mu.Lock()
	if q.free > 0 { // then the queue is empty
		q.free--
		q.note(o)
		q.mu.Unlock()
		return nil
	}
	w := &waiter{origin: o, turn: make(chan error, 1)}
	q.waiting = append(q.waiting, w)
	if len(q.waiting) > maxWaiting {
		q.displace()
	}
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

// displace rejects the newest waiter of the most crowded account or network.
func (q *hashQueue) displace() {
	others := map[any]int64{} // waiters that share the key, without the first
	for _, w := range q.waiting {
		for _, key := range w.origin.keys() {
			if n, found := others[key]; found {
				others[key] = n + 1
			} else {
				others[key] = 0
			}
		}
	}
	last, lastRank := 0, rank{}
	for i, w := range q.waiting {
		if r := w.origin.rankIn(others); !r.less(lastRank) {
			last, lastRank = i, r
		}
	}
	q.waiting[last].turn <- ErrBusy
	q.waiting = slices.Delete(q.waiting, last, last+1)
}

// note counts a turn of an origin. It forgets those long before the oldest waiter came.
func (q *hashQueue) note(o origin) {
	if q.served == nil || len(q.served) > 16*maxWaiting {
		recent := map[any]int64{}
		for key, turn := range q.served {
			if turn > q.turns-2*maxWaiting {
				recent[key] = turn
			}
		}
		q.served = recent
	}
	q.turns++
	for _, key := range o.keys() {
		q.served[key] = q.turns
	}
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

// leave gives the slot to the waiter whose turn it is, or back.
func (q *hashQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	first, firstRank := 0, q.waiting[0].origin.rankIn(q.served)
	for i, w := range q.waiting {
		if r := w.origin.rankIn(q.served); r.less(firstRank) {
			first, firstRank = i, r
		}
	}
	next := q.waiting[first]
	q.waiting = slices.Delete(q.waiting, first, first+1)
	q.note(next.origin)
	next.turn <- nil
}
