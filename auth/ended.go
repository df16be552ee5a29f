package auth

import (
	"math"
	"sync"

	"latchkey/models"
)

// endedSet is the tokens that have ended before their time, in memory. It is safe for concurrent
// use.
type endedSet struct {
	mu      sync.RWMutex
	single  map[endedToken]uint32   // to its expiry, Unix seconds
	through map[uint32]endedThrough // by uid
}

// endedToken is a models.TokenID in half the space.
type endedToken struct {
	uid, issuedAt uint32
	serial        uint16
}

// endedThrough says that every token of a user up to an order has ended.
type endedThrough struct {
	order   int64
	expires int64 // Unix seconds: when the last of them would have expired
}

func newEndedSet() *endedSet {
	return &endedSet{single: map[endedToken]uint32{}, through: map[uint32]endedThrough{}}
}

func pack(id models.TokenID) endedToken {
	return endedToken{id.UID, clamp(id.IssuedAt), id.Serial}
}

// clamp fits a Unix time into 32 bits; they last until 2106.
func clamp(t int64) uint32 { return uint32(min(max(t, 0), math.MaxUint32)) }

// add takes endings in; the same one twice changes nothing.
func (s *endedSet) add(endings ...models.Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range endings {
		switch {
		case e.Seq == 0: // nothing ended
		case e.EarlierToo:
			old := s.through[e.Through.UID]
			s.through[e.Through.UID] = endedThrough{
				max(old.order, e.Through.Order()), max(old.expires, e.ExpiresAt)}
		default:
			s.single[pack(e.Through)] = clamp(e.ExpiresAt)
		}
	}
}

// has says whether a token has ended.
func (s *endedSet) has(id models.TokenID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if through, ok := s.through[id.UID]; ok && id.Order() <= through.order {
		return true
	}
	_, ok := s.single[pack(id)]
	return ok
}

// sweep forgets what would have expired by now anyway.
func (s *endedSet) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, expires := range s.single {
		if int64(expires) <= now {
			delete(s.single, id)
		}
	}
	for uid, through := range s.through {
		if through.expires <= now {
			delete(s.through, uid)
		}
	}
}
