package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/models"
)

const (
	heartbeatEvery = 10 * time.Second
	manyRows       = 100_000 // from here on, revocations are read on several cores
	maxReaders     = 4
)

// follower keeps the revoked tokens and the key ring of this process up to date with the store.
// With a shared store it also tells the other nodes which keys this one knows. It is not safe for
// concurrent use: load and join come first, then its state belongs to the goroutine in run.
type follower struct {
	store   *models.Store
	ring    *KeyRing
	revoked *revokedSet
	lag     time.Duration
	log     *slog.Logger

	seq         int64 // of the newest revocation that was read
	failing     bool  // the last refresh failed
	node        models.Node
	heartbeatAt time.Time // of the last heartbeat
}

func newFollower(s *models.Store, ring *KeyRing, revoked *revokedSet, o Options) *follower {
	name, _ := os.Hostname() // only shown to people
	return &follower{store: s, ring: ring, revoked: revoked, lag: o.Lag, log: o.Logger,
		node: models.Node{ID: rand.Text(), Name: name, Lag: int64(o.Lag / time.Second)}}
}

// load reads all revoked tokens. Errors: models.ErrDamaged if one is missing or changed, and the
// store's.
func (f *follower) load(ctx context.Context) error {
	if err := f.store.CheckChanges(ctx); err != nil {
		return err
	}
	for {
		asked := time.Now()
		head, err := f.store.Head(ctx)
		if err != nil {
			return err
		}
		checksum, err := f.readAll(ctx, head.Revocations)
		if err != nil {
			return err
		}
		if checksum == head.Checksum {
			f.seq = head.Revocations
			f.revoked.setReadAt(asked)
			return nil
		}
		again, err := f.store.Head(ctx)
		if err != nil {
			return err
		}
		if again.Checksum == head.Checksum { // no other process wrote in between
			return fmt.Errorf("%w: the list of revoked tokens is incomplete: "+
				"restore a backup, or run latchkey recover", models.ErrDamaged)
		}
	}
}

// loadBatch is after how many revocations those of crowded users are compacted.
const loadBatch = 1_000_000

// readAll reads all revocations, numbered up to through, and returns their checksum. What it holds
// in memory is bounded, however many there are of one user.
func (f *follower) readAll(ctx context.Context, through int64) (checksum int64, err error) {
	var added atomic.Int64
	add := func(r models.Revocation) {
		added.Add(1)
		f.revoked.add(r)
	}
	for after := int64(0); after < through; after += loadBatch {
		to := min(after+loadBatch, through)
		sum, err := f.readRevocations(ctx, after, to, add)
		if err != nil {
			return 0, err
		}
		checksum ^= sum
		if added.Load() < loadBatch && to < through {
			continue
		}
		added.Store(0)
		if err := f.revoked.compact(ctx, f.store); err != nil {
			return 0, err
		}
	}
	return checksum, nil
}

// refresh reads what is new in the store: revocations and keys.
func (f *follower) refresh(ctx context.Context) error {
	asked := time.Now()
	head, err := f.store.Head(ctx)
	if err != nil {
		return err
	}
	if head.Revocations != f.seq {
		if _, err := f.readRevocations(ctx, f.seq, head.Revocations, f.revoked.add); err != nil {
			return err
		}
		logError(f.log, "cannot log revocations by commands",
			f.logCommands(ctx, f.seq, head.Revocations))
		f.seq = head.Revocations
	}
	if head.Ring != f.ring.now.Load().number {
		if err := f.ring.reload(ctx); err != nil {
			return err
		}
	}
	f.revoked.setReadAt(asked)
	return nil
}

// readRevocations calls add for the revocations numbered above after, up to and including through.
// It returns their checksum.
func (f *follower) readRevocations(
	ctx context.Context, after, through int64, add func(models.Revocation),
) (int64, error) {
	parts := int64(1)
	if through-after > manyRows {
		parts = int64(min(maxReaders, runtime.GOMAXPROCS(0)))
	}
	errs, sums := make([]error, parts), make([]int64, parts)
	var wait sync.WaitGroup
	for part := range parts {
		from, to := after+(through-after)*part/parts, after+(through-after)*(part+1)/parts
		wait.Go(func() { sums[part], errs[part] = f.store.Revocations(ctx, from, to, add) })
	}
	wait.Wait()
	checksum := int64(0)
	for _, sum := range sums {
		checksum ^= sum
	}
	return checksum, errors.Join(errs...)
}

// join announces this node to the others of a shared store, so that no key signs that it does not
// know, and reads what is new.
func (f *follower) join(ctx context.Context) error {
	if f.store.Shared() {
		if err := f.heartbeat(ctx); err != nil {
			return err
		}
	}
	return f.refresh(ctx)
}

// run refreshes whenever the store announces a change, and regularly, until ctx is done.
func (f *follower) run(ctx context.Context) {
	changed := make(chan struct{}, 1)
	var listener sync.WaitGroup
	defer listener.Wait()
	listener.Go(func() {
		f.store.Listen(ctx, func() {
			select {
			case changed <- struct{}{}:
			default: // a refresh is due already
			}
		})
	})
	poll := time.NewTicker(f.store.PollInterval())
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			f.refreshAndReport(ctx)
		case <-poll.C:
			f.refreshAndReport(ctx)
		}
	}
}

// refreshAndReport refreshes, logs when refreshing begins to fail or works again, and sends a
// heartbeat to the other nodes of a shared store.
func (f *follower) refreshAndReport(ctx context.Context) {
	err := f.refresh(ctx)
	switch {
	case err != nil && !f.failing:
		f.log.Error("cannot read revoked tokens", "error", err, "refusing_tokens_after", f.lag)
	case err == nil && f.failing:
		f.log.Info("revoked tokens are read again")
	}
	f.failing = err != nil
	if err == nil && f.store.Shared() {
		logError(f.log, "cannot send the heartbeat of this node", f.heartbeat(ctx))
	}
}

// heartbeat reports which keys this node knows, regularly and whenever that changes. It activates a
// new key that all nodes know.
func (f *follower) heartbeat(ctx context.Context) error {
	set, now := f.ring.now.Load(), time.Now()
	if set.number != f.node.Ring || now.Sub(f.heartbeatAt) > heartbeatEvery {
		f.node.Ring = set.number
		if err := f.store.Heartbeat(ctx, f.node); err != nil {
			return err
		}
		f.heartbeatAt = now
	}
	newest := set.keys[0]
	if newest.signsAt <= now.Unix() {
		return nil
	}
	activated, err := f.store.ActivateKey(ctx, newest.id, set.number)
	if activated {
		f.log.Info("every node knows the new key; it signs from now on", "key", newest.id)
	}
	return err
}

// removeNode tells the other nodes of a shared store that this one verifies no more tokens.
func (f *follower) removeNode(ctx context.Context) error {
	if !f.store.Shared() {
		return nil
	}
	return f.store.RemoveNode(ctx, f.node.ID)
}

// logError logs an error of the work in the background, if there is one.
func logError(log *slog.Logger, what string, err error) {
	if err != nil {
		log.Error(what, "error", err)
	}
}
