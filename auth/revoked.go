package auth

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// revokedShards is the number of parts of the set, so that a sweep locks only a small one at a
// time.
const revokedShards = 64

// revokedSet holds the revoked tokens in memory. It is safe for concurrent use.
type revokedSet struct {
	readAt atomic.Pointer[time.Time] // when the store was last read
	shards [revokedShards]revokedShard
}

type revokedShard struct {
	mu      sync.RWMutex
	single  map[revokedToken]revokedSpan
	through map[uint32]revokedThrough // by uid
}

// revokedToken is a models.TokenID in half the memory.
type revokedToken struct {
	uid, issuedAt uint32
	serial        uint16
}

// revokedSpan is the time in which a token is revoked, as packed seconds. from is 0 if it was
// revoked at once.
type revokedSpan struct{ from, expires uint32 }

// revokedThrough means that every token of a user up to an order is revoked, except some.
type revokedThrough struct {
	order   int64
	except  []int64 // orders, ascending
	expires int64   // Unix seconds: expiry of the last of them
}

// covers reports whether the token with an order is among the revoked ones.
func (r revokedThrough) covers(order int64) bool {
	if order > r.order {
		return false
	}
	_, except := slices.BinarySearch(r.except, order)
	return !except
}

// union returns what covers every token that r or other covers.
func (r revokedThrough) union(other revokedThrough) revokedThrough {
	except := slices.DeleteFunc(slices.Concat(r.except, other.except),
		func(order int64) bool { return r.covers(order) || other.covers(order) })
	slices.Sort(except)
	return revokedThrough{max(r.order, other.order), slices.Clip(slices.Compact(except)),
		max(r.expires, other.expires)}
}

func newRevokedSet() *revokedSet {
	s := &revokedSet{}
	s.setReadAt(time.Time{})
	for i := range s.shards {
		s.shards[i].single = map[revokedToken]revokedSpan{}
		s.shards[i].through = map[uint32]revokedThrough{}
	}
	return s
}

// setReadAt notes that the set holds every revocation that was in the store at t.
func (s *revokedSet) setReadAt(t time.Time) { s.readAt.Store(&t) }

// age returns how long ago the store was last read.
func (s *revokedSet) age(now time.Time) time.Duration { return now.Sub(*s.readAt.Load()) }

// shard returns the part for a token. It spreads the tokens of one user, who may have revoked a
// million.
func (s *revokedSet) shard(id models.TokenID) *revokedShard {
	return &s.shards[(uint32(id.IssuedAt)*7+uint32(id.Serial))%revokedShards]
}

// userShard returns the part for the revokedThrough of a user.
func (s *revokedSet) userShard(uid uint32) *revokedShard { return &s.shards[uid%revokedShards] }

func pack(id models.TokenID) revokedToken {
	return revokedToken{id.UID, packSeconds(id.IssuedAt), id.Serial}
}

// firstSecond is the first Unix second with ten digits, so the earliest time in a token. It is in
// 2001.
const firstSecond = 1_000_000_000

// packSeconds packs a Unix time into 32 bits, counted from firstSecond, which last until 2137.
func packSeconds(t int64) uint32 { return uint32(min(max(t-firstSecond, 0), math.MaxUint32)) }

func unpackSeconds(t uint32) int64 { return int64(t) + firstSecond }

// add adds a revocation. Adding it again changes nothing.
func (s *revokedSet) add(r models.Revocation) {
	if r.IsZero() {
		return
	}
	if r.EarlierToo {
		s.userShard(r.Through.UID).addThrough(r.Through.UID,
			revokedThrough{order: r.Through.Order(), expires: r.ExpiresAt})
		return
	}
	shard := s.shard(r.Through)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	span := revokedSpan{packSeconds(r.EndsAt), packSeconds(r.ExpiresAt)}
	if old, ok := shard.single[pack(r.Through)]; ok {
		span.from = min(span.from, old.from)
	}
	shard.single[pack(r.Through)] = span
}

func (s *revokedShard) addThrough(uid uint32, r revokedThrough) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.through[uid] = s.through[uid].union(r)
}

// has reports whether a token is revoked at a Unix time.
func (s *revokedSet) has(id models.TokenID, now int64) bool {
	return s.userShard(id.UID).hasThrough(id) || s.shard(id).hasSingle(id, now)
}

func (s *revokedShard) hasThrough(id models.TokenID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	through, ok := s.through[id.UID]
	return ok && through.covers(id.Order())
}

func (s *revokedShard) hasSingle(id models.TokenID, now int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	span, ok := s.single[pack(id)]
	return ok && (span.from == 0 || now >= unpackSeconds(span.from))
}

// sweep removes the tokens that expired before a Unix time.
func (s *revokedSet) sweep(before int64) {
	for i := range s.shards {
		s.shards[i].sweep(before)
	}
}

func (s *revokedShard) sweep(before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, span := range s.single {
		if unpackSeconds(span.expires) < before {
			delete(s.single, id)
		}
	}
	for uid, through := range s.through {
		if through.expires < before {
			delete(s.through, uid)
		}
	}
}
