package auth

import (
	"context"
	"time"
)

// readEndings takes in the endings that are new in the store.
func (a *Authority) readEndings(ctx context.Context) error {
	asked := time.Since(a.started)
	endings, err := a.store.EndingsAfter(ctx, a.seq)
	if err != nil {
		return err
	}
	a.ended.add(endings...)
	if n := len(endings); n > 0 {
		a.seq = endings[n-1].Seq
	}
	a.lastRead.Store(int64(asked))
	return nil
}

// How often the store is asked for new endings, and how often old rows and entries are cleared
// away.
const (
	followEvery = 100 * time.Millisecond
	sweepEvery  = time.Minute
	purgeEvery  = time.Hour
	purgeAfter  = 24 * time.Hour // a token expired this long ago is forgotten
	purgeBatch  = 1000           // rows a transaction
)

// Follow keeps the ended tokens up to date with the store and clears old ones away, until ctx is
// done. It is called once.
func (a *Authority) Follow(ctx context.Context) {
	read, sweep, purge := time.NewTicker(
		followEvery,
	), time.NewTicker(
		sweepEvery,
	), time.NewTicker(
		purgeEvery,
	)
	defer read.Stop()
	defer sweep.Stop()
	defer purge.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-read.C:
			err := a.readEndings(ctx)
			if failing != (err != nil) {
				a.logFollowing(err)
			}
			failing = err != nil
		case <-sweep.C:
			a.ended.sweep(time.Now().Unix())
		case <-purge.C:
			a.purge(ctx)
		}
	}
}

// logFollowing writes one line when following begins to fail and one when it works again.
func (a *Authority) logFollowing(err error) {
	if err == nil {
		a.options.Logger.Info("ended tokens are followed again")
		return
	}
	a.options.Logger.Error(
		"ended tokens cannot be followed",
		"error",
		err,
		"refusing_after",
		a.options.Lag,
	)
}

func (a *Authority) purge(ctx context.Context) {
	before := time.Now().Add(-purgeAfter).Unix()
	for ctx.Err() == nil {
		gone, err := a.store.Purge(ctx, before, purgeBatch)
		if err != nil {
			a.options.Logger.Error("expired tokens cannot be cleared away", "error", err)
		}
		if err != nil || gone == 0 {
			return
		}
	}
}
