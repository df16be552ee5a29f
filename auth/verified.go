package auth

import (
	"hash/maphash"
	"latchkey/client/wire"
	"sync/atomic"
)

// verifiedSlots bounds how many tokens are remembered, about 100 bytes each.
const verifiedSlots = 1 << 12

// verifiedCache remembers what recently seen tokens decoded to with one key ring, so that a
// client that sends the same token again and again costs no cryptography. What it holds is a
// function of token and ring alone: whether the token is still good (time, ended, scope) is
// judged each time. It is safe for concurrent use and never grows.
type verifiedCache struct {
	seed  maphash.Seed
	slots [verifiedSlots]atomic.Pointer[verifiedEntry]
}

type verifiedEntry struct {
	hash     uint64
	token    [wire.TokenLength]byte
	identity Identity
}

func newVerifiedCache() *verifiedCache {
	return &verifiedCache{seed: maphash.MakeSeed()}
}

// hash is keyed by a random seed, so nobody outside can choose which tokens share a slot.
func (v *verifiedCache) hash(token string) uint64 { return maphash.String(v.seed, token) }

// find returns what a token decoded to, if it is remembered. The bytes are compared only after
// the whole keyed hash agreed, so that the time it takes tells nothing about a remembered token.
func (v *verifiedCache) find(hash uint64, token string) (Identity, bool) {
	seen := v.slots[hash%verifiedSlots].Load()
	if seen == nil || seen.hash != hash || string(seen.token[:]) != token {
		return Identity{}, false
	}
	return seen.identity, true
}

// keep remembers a token that was authenticated, in the place of another one.
func (v *verifiedCache) keep(hash uint64, token string, i Identity) {
	seen := &verifiedEntry{hash: hash, identity: i}
	copy(seen.token[:], token)
	v.slots[hash%verifiedSlots].Store(seen)
}
