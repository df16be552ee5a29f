package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"latchkey/models"
)

const (
	flushEvery = 30 * time.Second
	sweepEvery = time.Minute
	purgeEvery = time.Hour
	retention  = 24 * time.Hour // expired tokens are kept for so long
	linkTTL    = time.Hour      // links are valid for less
	purgeBatch = 1000           // rows per transaction
)

// maintenance stores the last use of tokens, rotates the signing key and deletes what has expired.
// It may take long, so it does not run in the follower's goroutine. It is not safe for concurrent
// use: its state belongs to the goroutine in run, and to flush and stop after that.
type maintenance struct {
	store    *models.Store
	ring     *KeyRing
	revoked  *revokedSet
	used     *usage
	rotate   func(context.Context) (KeyInfo, error)
	rotation time.Duration // how long a key signs; 0: no rotation
	log      *slog.Logger
	clock    storeClock
}

// run does each task regularly until ctx is done.
func (m *maintenance) run(ctx context.Context) {
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
			m.flush(ctx)
		case <-sweep.C:
			m.sweep()
			logError(m.log, "cannot compact the revoked tokens", m.compact(ctx))
			logError(m.log, "cannot rotate the keys", m.rotateWhenDue(ctx))
		case <-purge.C:
			m.purge(ctx)
		}
	}
}

// stop stores what would be lost with the process.
func (m *maintenance) stop(ctx context.Context) {
	m.flush(ctx)
	m.advanceClock(ctx)
}

// flush stores the last use of tokens.
func (m *maintenance) flush(ctx context.Context) {
	logError(m.log, "cannot store the last use of tokens", m.used.flush(ctx, m.store))
}

func (m *maintenance) advanceClock(ctx context.Context) {
	logError(m.log, "cannot advance the store's clock", m.clock.advance(ctx))
}

// sweep removes expired tokens from the revoked set.
func (m *maintenance) sweep() { m.revoked.sweep(m.clock.cutoff(retention)) }

// compact bounds the revoked tokens of each user in memory.
func (m *maintenance) compact(ctx context.Context) error {
	if err := m.revoked.closeOrders(ctx, m.store); err != nil {
		return err
	}
	return m.revoked.compact(ctx, m.store)
}

// purge deletes from the store what is needed no longer.
func (m *maintenance) purge(ctx context.Context) {
	m.advanceClock(ctx)
	logError(m.log, "cannot delete old keys", m.dropOldKeys(ctx))
	logError(m.log, "cannot delete old failed logins",
		m.store.PurgeFailures(ctx, m.clock.cutoff(0), maxBuckets))
	for ctx.Err() == nil {
		deleted, err := m.store.Purge(ctx, m.clock.cutoff(retention), purgeBatch)
		logError(m.log, "cannot delete expired tokens", err)
		if err != nil || deleted == 0 {
			return
		}
	}
}

// rotateWhenDue rotates the signing key once the newest has signed for Options.KeyRotation.
func (m *maintenance) rotateWhenDue(ctx context.Context) error {
	newest := m.ring.now.Load().keys[0]
	age := time.Since(time.Unix(newest.signsAt, 0))
	if m.rotation <= 0 || age < m.rotation {
		return nil
	}
	key, err := m.rotate(ctx)
	if errors.Is(err, models.ErrChanged) || errors.Is(err, ErrKeyWaits) { // another process rotated
		return nil
	}
	if err == nil {
		m.log.Info("key rotated", "key", key.ID, "signs_at", stamp(key.SignsAt))
	}
	return err
}

// dropOldKeys deletes keys whose last token and last link have expired.
func (m *maintenance) dropOldKeys(ctx context.Context) error {
	before := m.clock.cutoff(linkTTL)
	return m.store.DropKeys(ctx, m.ring.now.Load().signing(before).id, before)
}

// storeClock is the clock of the store. It advances only while a process runs, by a clock that
// nobody can set, so a wrong system clock does not make tokens look expired.
type storeClock struct {
	store     *models.Store
	unix      int64     // what it shows, in Unix seconds
	updatedAt time.Time // when it was last advanced
}

func loadStoreClock(ctx context.Context, s *models.Store) (storeClock, error) {
	c := storeClock{store: s, updatedAt: time.Now()}
	var err error
	c.unix, err = s.AdvanceClock(ctx, 0)
	return c, err
}

// advance moves the clock forward by the time since the last call, and by an eighth of it more, to
// make up for times when no process ran.
func (c *storeClock) advance(ctx context.Context) error {
	now := time.Now()
	elapsed := now.Sub(c.updatedAt)
	seconds := int64((elapsed + elapsed/8) / time.Second)
	if seconds < 1 {
		return nil
	}
	unix, err := c.store.AdvanceClock(ctx, seconds)
	if err == nil {
		c.unix, c.updatedAt = unix, now
	}
	return err
}

// cutoff returns the Unix time that lies age back, by the system clock or the store's clock:
// the one that is behind. A revoked token must stay revoked when a fast system clock is set right.
func (c *storeClock) cutoff(age time.Duration) int64 {
	return min(time.Now().Unix(), c.unix) - int64(age/time.Second)
}
