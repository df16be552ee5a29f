package auth

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// revokedShards is how many parts the set has, so that clearing one away keeps nobody waiting.
const revokedShards = 64

// revokedSet is the tokens that have ended before their time, in memory. It is safe for concurrent
// use.
type revokedSet struct {
	readAt atomic.Pointer[time.Time] // when the store was last read
	shards [revokedShards]revokedShard
}

type revokedShard struct {
	mu      sync.RWMutex
	single  map[revokedToken]revokedSpan
	through map[uint32]revokedThrough // by uid
}

// revokedToken is a models.TokenID in half the space.
type revokedToken struct {
	uid, issuedAt uint32
	serial        uint16
}

// revokedSpan is when an ended token is refused because it was ended: from its end, 0 if that was at
// once, to its expiry.
type revokedSpan struct{ from, expires uint32 }

// revokedThrough says that every token of a user up to an order has ended.
type revokedThrough struct {
	order   int64
	expires int64 // Unix seconds: when the last of them would have expired
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

// shard spreads the tokens of one user too, who may have ended a million of them.
func (s *revokedSet) shard(id models.TokenID) *revokedShard {
	return &s.shards[(uint32(id.IssuedAt)*7+uint32(id.Serial))%revokedShards]
}

// userShard is where it is noted that every token of a user up to one has ended.
func (s *revokedSet) userShard(uid uint32) *revokedShard { return &s.shards[uid%revokedShards] }

func pack(id models.TokenID) revokedToken {
	return revokedToken{id.UID, shorten(id.IssuedAt), id.Serial}
}

// firstSecond is the first Unix second whose time can stand in a token, in 2001.
const firstSecond = 1_000_000_000

// shorten fits a Unix time into 32 bits, counted from firstSecond; they last until 2137.
func shorten(t int64) uint32 { return uint32(min(max(t-firstSecond, 0), math.MaxUint32)) }

func lengthen(t uint32) int64 { return int64(t) + firstSecond }

// add takes an ending in; the same one twice changes nothing.
func (s *revokedSet) add(e models.Revocation) {
	if e.IsZero() {
		return
	}
	if e.EarlierToo {
		s.userShard(e.Through.UID).addThrough(e)
		return
	}
	shard := s.shard(e.Through)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	span := revokedSpan{shorten(e.EndsAt), shorten(e.ExpiresAt)}
	if old, ok := shard.single[pack(e.Through)]; ok {
		span.from = min(span.from, old.from)
	}
	shard.single[pack(e.Through)] = span
}

func (s *revokedShard) addThrough(e models.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.through[e.Through.UID]
	s.through[e.Through.UID] = revokedThrough{
		max(old.order, e.Through.Order()), max(old.expires, e.ExpiresAt)}
}

// has says whether a token has ended by now.
func (s *revokedSet) has(id models.TokenID, now int64) bool {
	return s.userShard(id.UID).hasThrough(id) || s.shard(id).hasSingle(id, now)
}

func (s *revokedShard) hasThrough(id models.TokenID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	through, ok := s.through[id.UID]
	return ok && id.Order() <= through.order
}

func (s *revokedShard) hasSingle(id models.TokenID, now int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	span, ok := s.single[pack(id)]
	return ok && (span.from == 0 || now >= lengthen(span.from))
}

// sweep forgets what expired before a Unix second.
func (s *revokedSet) sweep(before int64) {
	for i := range s.shards {
		s.shards[i].sweep(before)
	}
}

func (s *revokedShard) sweep(before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, span := range s.single {
		if lengthen(span.expires) < before {
			delete(s.single, id)
		}
	}
	for uid, through := range s.through {
		if through.expires < before {
			delete(s.through, uid)
		}
	}
}
