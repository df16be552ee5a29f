package auth

import (
	"context"
	"errors"

	"latchkey/models"
)

// maxSingle is how many single revocations of a user stay in memory. Beyond it they are replaced by
// a summary, so that no account can fill the memory by creating and revoking tokens in a loop.
const maxSingle = 1000

// roughCounts is the number of counters that all users share, so that counting allocates little
// even for a million users with a revocation each.
const roughCounts = 1 << 14

// crowded returns the users with more than maxSingle single revocations.
func (s *revokedSet) crowded() (uids []uint32) {
	rough, exact := make([]int, roughCounts), map[uint32]int{}
	s.eachSingle(func(id revokedToken) { rough[id.uid%roughCounts]++ })
	s.eachSingle(func(id revokedToken) {
		if rough[id.uid%roughCounts] > maxSingle {
			exact[id.uid]++
		}
	})
	for uid, count := range exact {
		if count > maxSingle {
			uids = append(uids, uid)
		}
	}
	return uids
}

// eachSingle calls count for each single revocation.
func (s *revokedSet) eachSingle(count func(revokedToken)) {
	for i := range s.shards {
		s.shards[i].eachSingle(count)
	}
}

func (s *revokedShard) eachSingle(count func(revokedToken)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id := range s.single {
		count(id)
	}
}

// replace replaces the single revocations that the users' summaries cover. At every moment of it,
// what was revoked before is rejected.
func (s *revokedSet) replace(summaries map[uint32]revokedThrough) {
	for i := range s.shards {
		s.shards[i].extend(summaries)
	}
	for uid, summary := range summaries {
		s.userShard(uid).addThrough(uid, summary)
	}
	for i := range s.shards {
		s.shards[i].dropCovered(summaries)
	}
}

// extend makes the summaries last until the last of the tokens expires that they cover.
func (s *revokedShard) extend(summaries map[uint32]revokedThrough) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, span := range s.single {
		if summary, ok := summaries[id.uid]; ok && summary.covers(id.order()) {
			summary.expires = max(summary.expires, unpackSeconds(span.expires))
			summaries[id.uid] = summary
		}
	}
}

// dropCovered removes the single revocations that the summaries cover for as long as they last.
func (s *revokedShard) dropCovered(summaries map[uint32]revokedThrough) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, span := range s.single {
		summary, ok := summaries[id.uid]
		if ok && summary.covers(id.order()) && unpackSeconds(span.expires) <= summary.expires {
			delete(s.single, id)
		}
	}
}

// order is models.TokenID.Order.
func (t revokedToken) order() int64 {
	return models.TokenID{IssuedAt: unpackSeconds(t.issuedAt), Serial: t.serial}.Order()
}

// compact replaces the single revocations of crowded users by a summary, as far as CloseOrders has
// let it reach. It does not write to the store. A user whose row is damaged is left out.
func (s *revokedSet) compact(ctx context.Context, store *models.Store) error {
	summaries := map[uint32]revokedThrough{}
	for _, uid := range s.crowded() {
		summary, err := store.RevokedSummary(ctx, uid)
		if errors.Is(err, models.ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		summaries[uid] = s.throughOf(uid).union(
			revokedThrough{order: summary.Through, except: summary.Except})
	}
	if len(summaries) > 0 {
		s.replace(summaries)
	}
	return nil
}

// throughOf returns what covers many tokens of a user at once.
func (s *revokedSet) throughOf(uid uint32) revokedThrough {
	shard := s.userShard(uid)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.through[uid]
}

// closeOrders lets the summaries of crowded users reach as far as they can.
func (s *revokedSet) closeOrders(ctx context.Context, store *models.Store) error {
	for _, uid := range s.crowded() {
		err := store.CloseOrders(ctx, uid)
		if err != nil && !errors.Is(err, models.ErrDamaged) {
			return err
		}
	}
	return nil
}
