package auth

import (
	"hash/maphash"
	"sync/atomic"

	"latchkey/client/wire"
)

// verifiedSlots is the number of cached tokens, of about 100 bytes each.
const verifiedSlots = 1 << 12

// verifiedCache caches the identities of tokens whose signature was verified with one key set, so
// that a repeated token costs no cryptography. An identity depends only on the token and the keys.
// Expiry, revocation and scope are checked every time. It is safe for concurrent use and has a
// fixed size.
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

// hash is keyed by a random seed, so that clients cannot choose tokens that share a slot.
func (v *verifiedCache) hash(token string) uint64 { return maphash.String(v.seed, token) }

// find returns the identity of a cached token. It compares the token only if the whole keyed hash
// is equal, so that its timing reveals nothing about cached tokens.
func (v *verifiedCache) find(hash uint64, token string) (Identity, bool) {
	seen := v.slots[hash%verifiedSlots].Load()
	if seen == nil || seen.hash != hash || string(seen.token[:]) != token {
		return Identity{}, false
	}
	return seen.identity, true
}

// keep caches an authenticated token, in place of another one.
func (v *verifiedCache) keep(hash uint64, token string, i Identity) {
	seen := &verifiedEntry{hash: hash, identity: i}
	copy(seen.token[:], token)
	v.slots[hash%verifiedSlots].Store(seen)
}
