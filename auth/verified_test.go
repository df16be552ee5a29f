package auth

import "testing"

// TestVerifiedCache: with more tokens than slots, each token has the same identity from the cache
// as without it.
func TestVerifiedCache(t *testing.T) {
	ring := testRing(1)
	tokens := make([]string, 2*verifiedSlots)
	for uid := range tokens {
		tokens[uid] = mustEncode(t, ring, purposeToken, identity(uint32(uid), 0, 7200))
	}
	for range 2 {
		for uid, token := range tokens {
			for _, when := range []string{"first", "cached"} {
				if i, err := ring.authenticate(token); err != nil || i.UID != uint32(uid) {
					t.Fatalf("%s: %+v, %v, want user %d", when, i, err, uid)
				}
			}
		}
	}
}
