package auth

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

func testKey(first byte) []byte {
	key := make([]byte, keySize)
	for i := range key {
		key[i] = first + byte(i)
	}
	return key
}

func testRing(keys ...byte) *KeyRing {
	var set []ringKey
	for i, first := range keys {
		set = append(set, ringKey{int64(i), 0, newCodec(testKey(first))})
	}
	ring := &KeyRing{}
	ring.now.Store(newKeySet(set...))
	return ring
}

// identity returns an identity that is issued now.
func identity(uid uint32, serial uint16, lifetime int64) Identity {
	at := time.Now().Unix()
	return Identity{UID: uid, ClientType: models.EMail, Scope: models.UserScope,
		ExpiresAt: at + lifetime,
		TokenID:   models.TokenID{UID: uid, IssuedAt: at, Serial: serial}}
}

func mustEncode(t testing.TB, ring *KeyRing, purpose string, i Identity) string {
	t.Helper()
	for {
		token, _, err := ring.encode(purpose, i)
		if err == nil {
			return token
		}
		if !errors.Is(err, errTick) {
			t.Fatal(err)
		}
		lifetime := i.ExpiresAt - i.TokenID.IssuedAt
		i.TokenID.IssuedAt = time.Now().Unix()
		i.ExpiresAt = i.TokenID.IssuedAt + lifetime
	}
}

func TestTokenRoundTrip(t *testing.T) {
	ring := testRing(1)
	for _, c := range []models.ClientType{models.EMail, models.Mobile, models.MiniProgram,
		models.OfficialAccount} {
		for _, lifetime := range []int64{1, 7200, maxCount, maxCount * 60, maxCount * 3600} {
			i := identity(1<<32-1, models.MaxSerial, lifetime)
			i.ClientType, i.Scope = c, models.AdminScope
			got, err := ring.decode(purposeToken, mustEncode(t, ring, purposeToken, i))
			must(t, err)
			if got.UID != i.UID || got.ClientType != c || got.Scope != i.Scope ||
				got.ExpiresAt-got.TokenID.IssuedAt != lifetime ||
				got.TokenID.Serial != i.TokenID.Serial {
				t.Errorf("got %+v, want %+v", got, i)
			}
		}
	}
}

// TestTokenForm: each token of 16 users in one second has 56 characters of the alphabet, and all
// are different.
func TestTokenForm(t *testing.T) {
	frozen(t, func(t *testing.T) {
		const users, serials = 16, models.MaxSerial + 1
		ring, seen := testRing(1), make(map[string]struct{}, users*serials)
		for n := range users * serials {
			token := mustEncode(t, ring, purposeToken,
				identity(uint32(n/serials+1), uint16(n%serials), 7200))
			if err := checkForm(token); err != nil {
				t.Fatalf("%q: %v", token, err)
			}
			seen[token] = struct{}{}
		}
		if len(seen) != users*serials {
			t.Errorf("%d different tokens of %d", len(seen), users*serials)
		}
	})
}

// TestTokenMutations: every change of a token makes it invalid.
func TestTokenMutations(t *testing.T) {
	ring := testRing(1)
	token := mustEncode(t, ring, purposeToken, identity(7, 3, 7200))
	_, err := ring.authenticate(token) // it is cached now
	must(t, err)
	rejected := func(name, text string) {
		t.Helper()
		if _, err := ring.decode(purposeToken, text); !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%s: %q: %v", name, text, err)
		}
		if _, err := ring.authenticate(text); !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%s, with the token in the cache: %q: %v", name, text, err)
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" +
		"=+/ \r\n\x00\xff|:"
	for at := range token {
		for _, other := range []byte(alphabet) {
			if other != token[at] {
				rejected("changed character", token[:at]+string(other)+token[at+1:])
			}
		}
		rejected("cut at the end", token[:at])
		rejected("cut at the start", token[at+1:])
		for _, insert := range []string{"\r", "\n", "\r\n", "A", "=", " "} {
			longer := token[:at] + insert + token[at:]
			rejected("inserted", longer)
			if cut := longer[:wire.TokenLength]; cut != token { // an A among the last ones changes nothing
				rejected("inserted, same length", cut)
			}
		}
	}
	for _, more := range []string{"A", "=", "==", "\n", "\r\n", strings.Repeat("A", 5000), token} {
		rejected("extended", token+more)
	}
}

// TestTokenKeys: a token is valid for its purpose only, and for a ring that contains its key.
func TestTokenKeys(t *testing.T) {
	token := mustEncode(t, testRing(1), purposeToken, identity(7, 3, 7200))
	if _, err := testRing(1).decode(purposeSetup, token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := testRing(2).decode(purposeToken, token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("another key: %v", err)
	}
	if _, err := testRing(2, 3, 1).decode(purposeToken, token); err != nil {
		t.Errorf("an older key of the ring: %v", err)
	}
}

// TestTokenVectors decodes fixed tokens that are signed with the key 01 02 03 … 20 (hexadecimal).
// Every later version must decode them to the same identities.
func TestTokenVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/tokens.json")
	must(t, err)
	var vectors []struct {
		Token               string
		Purpose             string
		UID                 uint32
		IssuedAt, ExpiresAt int64
		Serial              uint16
		Scope               models.Scope
		ClientType          models.ClientType
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	for _, v := range vectors {
		got, err := testRing(1).decode(v.Purpose, v.Token)
		want := Identity{UID: v.UID, ClientType: v.ClientType, Scope: v.Scope,
			ExpiresAt: v.ExpiresAt,
			TokenID:   models.TokenID{UID: v.UID, IssuedAt: v.IssuedAt, Serial: v.Serial}}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", v.Token, got, err, want)
		}
	}
}

// TestUnknownClaims: claims that are signed but that this version does not know are invalid.
func TestUnknownClaims(t *testing.T) {
	for name, claims := range map[string][]byte{
		"unit 3": {0, 0, 0, 7, 0xc0, 1, 1, 0x10, 0}, "no lifetime": {0, 0, 0, 7, 0, 0, 1, 0x10, 0},
		"type 0": {0, 0, 0, 7, 0, 9, 1, 0, 0}, "type 15": {0, 0, 0, 7, 0, 9, 1, 0xf0, 0},
		"scope 0": {0, 0, 0, 7, 0, 9, 0, 0x10, 0}, "short": {1, 2, 3}, "empty": {},
	} {
		var i Identity
		if err := (claimsSerializer{}).Deserialize(claims, &i); !errors.Is(err, errClaims) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	ring := testRing(1)
	token := mustEncode(f, ring, purposeToken, identity(7, 3, 7200))
	for _, seed := range []string{"", token, token[:55], token + "A",
		strings.Repeat("A", wire.TokenLength)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := ring.decode(purposeToken, text); err == nil && text != token {
			t.Errorf("forged: %q", text)
		} else if err != nil && !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzClaims: claims that can be parsed have only one encoding.
func FuzzClaims(f *testing.F) {
	f.Add([]byte{0, 0, 0, 7, 0x1c, 0x20, 1, 0x10, 3})
	f.Fuzz(func(t *testing.T, claims []byte) {
		var i, j Identity
		if (claimsSerializer{}).Deserialize(claims, &i) != nil {
			return
		}
		again, err := (claimsSerializer{}).Serialize(i)
		must(t, err)
		if err := (claimsSerializer{}).Deserialize(again, &j); err != nil || i != j {
			t.Errorf("%x: %+v, then %+v, %v", claims, i, j, err)
		}
	})
}
