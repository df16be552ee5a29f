package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serve lets callers wait in a queue with one slot, one after the other, then frees the slot. It
// returns the callers in the order in which they were served, a rejected one with a minus. A caller
// is "network/account".
func serve(t *testing.T, q *hashQueue, callers ...string) []string {
	t.Helper()
	must(t, q.enter(t.Context(), from("first", "first")))
	var mu sync.Mutex
	var order []string
	var wait sync.WaitGroup
	for _, caller := range callers {
		network, account, _ := strings.Cut(caller, "/")
		wait.Go(func() {
			err := q.enter(t.Context(), from(network, account))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				order = append(order, "-"+caller)
				return
			}
			order = append(order, caller)
			q.leave()
		})
		synctest.Wait()
	}
	q.leave()
	wait.Wait()
	return order
}

// from returns the origin of an account in one network.
func from(name, account string) origin {
	o := origin{account: account}
	if name != "" {
		o.networks = []network{{prefix: name}}
	}
	return o
}

func TestQueueIsFair(t *testing.T) {
	tests := map[string]struct{ callers, want string }{
		"all different":    {"a/1 b/2 c/3", "a/1 b/2 c/3"},
		"one network":      {"a/1 a/2 a/3 b/4", "a/1 b/4 a/2 a/3"},
		"one account":      {"a/1 b/1 c/1 d/2", "a/1 d/2 b/1 c/1"},
		"two networks":     {"a/1 a/2 a/3 b/4 b/5 b/6", "a/1 b/4 a/2 b/5 a/3 b/6"},
		"the one served":   {"first/1 b/2 x/first c/3", "b/2 c/3 x/first first/1"},
		"unknown networks": {"/1 /2 /1 /3", "/1 /2 /3 /1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := strings.Join(serve(t, &hashQueue{free: 1}, strings.Fields(test.callers)...), " ")
				if got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

// TestQueueIsBounded: when the queue is full, the caller of the latest round is rejected.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var callers []string
		for i := range maxWaiting {
			callers = append(callers, fmt.Sprintf("a/%d", i))
		}
		got := serve(t, &hashQueue{free: 1}, append(callers, "a/one too many", "b/fresh")...)
		want := append([]string{"-a/one too many", "-a/63", "a/0", "b/fresh"},
			callers[1:maxWaiting-1]...)
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestQueueTimeout: a caller waits for maxWait at most, and takes no slot with it.
func TestQueueTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &hashQueue{free: 1}
		must(t, q.enter(t.Context(), origin{}))
		started := time.Now()
		err := q.enter(t.Context(), origin{})
		if waited := time.Since(started); !errors.Is(err, ErrBusy) || waited != maxWait {
			t.Errorf("%v after %v, want ErrBusy after %v", err, waited, maxWait)
		}
		q.leave()
		if err := q.enter(t.Context(), origin{}); err != nil {
			t.Errorf("a free slot: %v", err)
		}
	})
}

// TestQueueLosesNoSlot: all slots are free after many callers have entered, given up and left.
func TestQueueLosesNoSlot(t *testing.T) {
	q := &hashQueue{free: 3}
	var wait sync.WaitGroup
	for caller := range 50 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 1))
			for range 200 {
				timeout := time.Duration(random.IntN(200)) * time.Microsecond
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				o := from(strconv.Itoa(random.IntN(5)), strconv.Itoa(random.IntN(9)))
				if q.enter(ctx, o) == nil {
					q.leave()
				}
				cancel()
			}
		})
	}
	wait.Wait()
	if q.free != 3 || len(q.waiting) != 0 {
		t.Errorf("%d slots are free and %d callers wait, want 3 and 0", q.free, len(q.waiting))
	}
}
