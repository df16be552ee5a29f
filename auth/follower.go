package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"latchkey/models"
)

// readAll takes in every ended token. Errors: models.ErrDamaged when one is missing or changed.
func (a *Authority) readAll(ctx context.Context) error {
	if err := a.store.CheckChanges(ctx); err != nil {
		return err
	}
	for {
		asked := time.Since(a.started)
		head, err := a.store.Head(ctx)
		if err != nil {
			return err
		}
		checksum, err := a.readRevocations(ctx, 0, head.Revocations)
		if err != nil {
			return err
		}
		if checksum == head.Checksum {
			a.seq = head.Revocations
			a.lastRead.Store(int64(asked))
			return nil
		}
		again, err := a.store.Head(ctx)
		if err != nil {
			return err
		}
		if again.Checksum == head.Checksum { // nobody wrote meanwhile
			return fmt.Errorf("%w: the list of ended tokens is not whole: "+
				"put a backup back, or run latchkey recover", models.ErrDamaged)
		}
	}
}

// refresh takes in what is new in the store: ended tokens and keys.
func (a *Authority) refresh(ctx context.Context) error {
	asked := time.Since(a.started)
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	if head.Revocations != a.seq {
		if _, err := a.readRevocations(ctx, a.seq, head.Revocations); err != nil {
			return err
		}
		a.seq = head.Revocations
	}
	if head.Ring != a.ring.now.Load().number {
		if err := a.ring.reload(ctx); err != nil {
			return err
		}
	}
	a.lastRead.Store(int64(asked))
	return nil
}

// readRevocations takes in the endings with a number above after and up to through; very many, as at a
// start, on several cores. It returns their checksum.
func (a *Authority) readRevocations(ctx context.Context, after, through int64) (int64, error) {
	const many = 100_000
	parts := int64(1)
	if through-after > many {
		parts = int64(min(4, runtime.GOMAXPROCS(0)))
	}
	errs, sums := make([]error, parts), make([]int64, parts)
	var wait sync.WaitGroup
	for part := range parts {
		from, to := after+(through-after)*part/parts, after+(through-after)*(part+1)/parts
		wait.Go(func() { sums[part], errs[part] = a.store.Revocations(ctx, from, to, a.revoked.add) })
	}
	wait.Wait()
	all := int64(0)
	for _, sum := range sums {
		all ^= sum
	}
	return all, errors.Join(errs...)
}

// How often the rest is seen to.
const (
	heartbeatEvery = 10 * time.Second
	flushEvery     = 30 * time.Second
	sweepEvery     = time.Minute
	purgeEvery     = time.Hour
	retention      = 24 * time.Hour // a token expired this long ago is forgotten
	clockCatchUp   = 8              // the store's time makes up a pause by an eighth of what passes
	purgeBatch     = 1000           // rows a transaction
)

// Join tells the nodes of the same store that this process is going to verify, so that no key signs
// that it does not know, and takes in what is new. Then Follow must be called. Errors: those of the
// store.
func (a *Authority) Join(ctx context.Context) error {
	if a.store.Shared() {
		if err := a.heartbeat(ctx); err != nil {
			return err
		}
	}
	return a.refresh(ctx)
}

// Run keeps the ended tokens and the keys up to date with the store, tells it when tokens were
// used, rotates the keys and clears old things away, until ctx is done. It is called once.
func (a *Authority) Run(ctx context.Context) {
	heard := make(chan struct{}, 1)
	var listening, tidying sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() {
		a.store.Listen(ctx, func() {
			select {
			case heard <- struct{}{}:
			default: // it is to read anyway
			}
		})
	})
	tidying.Go(func() { a.maintain(ctx) })
	read := time.NewTicker(a.store.PollEvery())
	defer read.Stop()
	for {
		select {
		case <-ctx.Done():
			tidying.Wait()
			a.stop(context.WithoutCancel(ctx))
			return
		case <-heard:
			a.refreshAndReport(ctx)
		case <-read.C:
			a.refreshAndReport(ctx)
		}
	}
}

// maintain does what may take long, until ctx is done: following does not wait for it.
func (a *Authority) maintain(ctx context.Context) {
	flush := time.NewTicker(flushEvery)
	sweep, purge := time.NewTicker(sweepEvery), time.NewTicker(purgeEvery)
	defer flush.Stop()
	defer sweep.Stop()
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			a.flush(ctx)
		case <-sweep.C:
			a.sweep()
			a.logError("the keys cannot be rotated", a.rotateWhenDue(ctx))
		case <-purge.C:
			a.purge(ctx)
		}
	}
}

// refreshAndReport catches up, and takes part in what the nodes of one database do together.
func (a *Authority) refreshAndReport(ctx context.Context) {
	err := a.refresh(ctx)
	if a.failing != (err != nil) {
		a.logRefresh(err)
	}
	a.failing = err != nil
	if err == nil && a.store.Shared() {
		a.logError("this node cannot report", a.heartbeat(ctx))
	}
}

// heartbeat says what this node knows of the keys, now and then and when that is new, and lets a key
// sign that all nodes know.
func (a *Authority) heartbeat(ctx context.Context) error {
	set := a.ring.now.Load()
	now := time.Now()
	if set.number != a.node.Ring || now.Sub(a.lastHeartbeat) > heartbeatEvery {
		a.node.Ring = set.number
		if err := a.store.Heartbeat(ctx, a.node); err != nil {
			return err
		}
		a.lastHeartbeat = now
	}
	if newest := set.keys[0]; newest.signsAt > now.Unix() {
		done, err := a.store.ActivateKey(ctx, newest.id, set.number)
		if done {
			a.options.Logger.Info("every node knows the new key: it signs", "key", newest.id)
		}
		return err
	}
	return nil
}

// stop says goodbye to the store.
func (a *Authority) stop(ctx context.Context) {
	a.flush(ctx)
	a.logError("the passing of time cannot be noted", a.advanceClock(ctx))
	if a.store.Shared() {
		a.logError("this node cannot leave", a.store.RemoveNode(ctx, a.node.ID))
	}
}

// flush tells the store when tokens were last used.
func (a *Authority) flush(ctx context.Context) {
	a.logError("the last use of tokens cannot be stored", a.used.flush(ctx, a.store))
}

// logError writes a line about a fault of what goes on in the background.
func (a *Authority) logError(what string, err error) {
	if err != nil {
		a.options.Logger.Error(what, "error", err)
	}
}

// logRefresh writes one line when following begins to fail and one when it works again.
func (a *Authority) logRefresh(err error) {
	if err == nil {
		a.options.Logger.Info("ended tokens are followed again")
		return
	}
	a.options.Logger.Error("ended tokens cannot be followed",
		"error", err, "refusing_after", a.options.Lag)
}

// advanceClock lets the store's own time go on by the time that this process has been there, which no
// clock can change, and an eighth more, to make up for pauses.
func (a *Authority) advanceClock(ctx context.Context) error {
	now := time.Now()
	passed := now.Sub(a.passed)
	seconds := int64((passed + passed/clockCatchUp) / time.Second)
	if seconds < 1 {
		return nil
	}
	at, err := a.store.AdvanceClock(ctx, seconds)
	if err == nil {
		a.passed, a.storeTime = now, at
	}
	return err
}

// cutoff is the Unix second a while before now, by the clock or by the store's own time, whichever
// is behind: what was ended must stay so when a clock that stands ahead is put right.
func (a *Authority) cutoff(while time.Duration) int64 {
	return min(time.Now().Unix(), a.storeTime) - int64(while/time.Second)
}

func (a *Authority) sweep() { a.revoked.sweep(a.cutoff(retention)) }

func (a *Authority) purge(ctx context.Context) {
	a.logError("the passing of time cannot be noted", a.advanceClock(ctx))
	a.logError("old keys cannot be cleared away", a.dropOldKeys(ctx))
	a.logError("old wrong tries cannot be cleared away",
		a.store.PurgeFailures(ctx, a.cutoff(0), maxBuckets))
	for ctx.Err() == nil {
		gone, err := a.store.Purge(ctx, a.cutoff(retention), purgeBatch)
		a.logError("expired tokens cannot be cleared away", err)
		if err != nil || gone == 0 {
			return
		}
	}
}
