//go:build bench

package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
)

// bareCookie is securecookie as it comes, with the same nine bytes of payload.
func bareCookie() *securecookie.SecureCookie {
	cookie := securecookie.New(testKey(1), nil)
	cookie.SetSerializer(securecookie.NopEncoder{})
	return cookie
}

func BenchmarkEncode(b *testing.B) {
	b.Run("bare-securecookie", func(b *testing.B) {
		cookie, payload := bareCookie(), make([]byte, claimsSize)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cookie.Encode(purposeToken, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("latchkey", func(b *testing.B) {
		ring, i := testRing(1), identity(7, 3, 7200)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ring.encode(purposeToken, i); err != nil && !errors.Is(err, errTick) {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	b.Run("bare-securecookie", func(b *testing.B) {
		cookie := bareCookie()
		token, err := cookie.Encode(purposeToken, make([]byte, claimsSize))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			var payload []byte
			if err := cookie.Decode(purposeToken, token, &payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("latchkey", func(b *testing.B) {
		ring := testRing(1)
		token := mustEncode(b, ring, purposeToken, identity(7, 3, 7200))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ring.decode(purposeToken, token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify-again", func(b *testing.B) {
		a := newAuthority(b, Options{Lag: 1 << 60})
		register(b, a, "ann@example.com")
		token := mustLogin(b, a, "ann@example.com").Token
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRecordUse measures what recording the last use adds to a verification, sequentially and in
// parallel.
func BenchmarkRecordUse(b *testing.B) {
	id, now := identity(7, 3, 7200).TokenID, time.Now().Unix()
	b.Run("alone", func(b *testing.B) {
		var u usage
		b.ReportAllocs()
		for b.Loop() {
			u.note(id, now)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		var u usage
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				u.note(id, now)
			}
		})
	})
}

// BenchmarkBridge is a pair that is remembered, beside one that is not, which costs a hash.
func BenchmarkBridge(b *testing.B) {
	a := newAuthority(b, Options{Params: DefaultParams()})
	register(b, a, "ann@example.com")
	bridge := newBridge(b, a)
	pair := BasicCredential{"ann@example.com", "secret1"}
	for name, forget := range map[string]bool{"remembered": false, "hashed": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if forget {
					bridge.cache.Purge()
				}
				if _, err := bridge.Verify(b.Context(), pair, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
