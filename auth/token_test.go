package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
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
	var of []ringKey
	for i, first := range keys {
		of = append(of, ringKey{int64(i), 0, newCodec(testKey(first))})
	}
	ring := &KeyRing{}
	ring.now.Store(newKeySet(of...))
	return ring
}

// someone is an identity issued now.
func someone(uid uint32, serial uint16, lifetime int64) Identity {
	at := time.Now().Unix()
	return Identity{UID: uid, ClientType: models.EMail, Scope: models.UserScope, ExpiresAt: at + lifetime,
		TokenID: models.TokenID{UID: uid, IssuedAt: at, Serial: serial}}
}

// encodeAt signs an identity at another time: securecookie dates what it signs by the clock.
func encodeAt(t *testing.T, ring *KeyRing, at time.Time, lifetime int64) (token string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(at))
		var err error
		if token, _, err = ring.encode(purposeToken, someone(7, 3, lifetime)); err != nil {
			t.Fatal(err)
		}
	})
	return token
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
		life := i.ExpiresAt - i.TokenID.IssuedAt
		i.TokenID.IssuedAt = time.Now().Unix()
		i.ExpiresAt = i.TokenID.IssuedAt + life
	}
}

func TestTokenRoundTrip(t *testing.T) {
	ring := testRing(1)
	for _, c := range []models.ClientType{models.EMail, models.Mobile, models.MiniProgram, models.OfficialAccount} {
		for _, life := range []int64{1, 7200, maxCount, maxCount * 60, maxCount * 3600} {
			i := someone(1<<32-1, models.MaxSerial, life)
			i.ClientType, i.Scope = c, models.AdminScope
			token := mustEncode(t, ring, purposeToken, i)
			got, err := ring.decode(purposeToken, token)
			if err != nil {
				t.Fatal(err)
			}
			if got.UID != i.UID || got.ClientType != c || got.Scope != i.Scope ||
				got.ExpiresAt-got.TokenID.IssuedAt != life || got.TokenID.Serial != i.TokenID.Serial {
				t.Errorf("got %+v, want %+v", got, i)
			}
		}
	}
}

// TestTokenForm issues a million tokens: each 56 characters of the alphabet, all distinct.
func TestTokenForm(t *testing.T) {
	ring, seen := testRing(1), make(map[[wire.TokenLength]byte]struct{}, 1e6)
	for n := range 1_000_000 {
		token := mustEncode(t, ring, purposeToken, someone(uint32(n/4096+1), uint16(n%4096), 7200))
		if err := checkForm(token); err != nil {
			t.Fatalf("%q: %v", token, err)
		}
		seen[[wire.TokenLength]byte([]byte(token))] = struct{}{}
	}
	if len(seen) != 1_000_000 {
		t.Errorf("%d distinct tokens of 1000000", len(seen))
	}
}

// TestTokenMutations: nothing but the token itself is accepted, and everything else is invalid, never a fault.
func TestTokenMutations(t *testing.T) {
	ring := testRing(1)
	token := mustEncode(t, ring, purposeToken, someone(7, 3, 7200))
	if _, err := ring.authenticate(token); err != nil { // the token itself is remembered now
		t.Fatal(err)
	}
	refused := func(name, text string) {
		t.Helper()
		if _, err := ring.decode(purposeToken, text); !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%s: %q: %v", name, text, err)
		}
		if _, err := ring.authenticate(text); !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%s, beside a remembered one: %q: %v", name, text, err)
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \r\n\x00\xff|:"
	for at := range token {
		for _, other := range []byte(alphabet) {
			if other != token[at] {
				refused("changed character", token[:at]+string(other)+token[at+1:])
			}
		}
		refused("truncated", token[:at])
		refused("cut in front", token[at+1:])
		for _, insert := range []string{"\r", "\n", "\r\n", "A", "=", " "} {
			refused("inserted", token[:at]+insert+token[at:])
			refused("replaced, same length", (token[:at] + insert + token[at:])[:wire.TokenLength])
		}
	}
	for _, more := range []string{"A", "=", "==", "\n", "\r\n", strings.Repeat("A", 5000), token} {
		refused("extended", token+more)
	}
	if _, err := ring.decode(purposeSetup, token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := testRing(2).decode(purposeToken, token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("another key: %v", err)
	}
	if _, err := testRing(2, 3, 1).decode(purposeToken, token); err != nil {
		t.Errorf("an older key of the ring: %v", err)
	}
}

// TestRememberedTokens: with more tokens than places, each is read as the first time.
func TestRememberedTokens(t *testing.T) {
	ring := testRing(1)
	const users = 2 * verifiedSlots
	tokens := make([]string, users)
	for uid := range tokens {
		tokens[uid] = mustEncode(t, ring, purposeToken, someone(uint32(uid), 0, 7200))
	}
	for range 2 {
		for uid, token := range tokens {
			for _, time := range []string{"first", "remembered"} {
				if i, err := ring.authenticate(token); err != nil || i.UID != uint32(uid) {
					t.Fatalf("%s: %+v, %v, want user %d", time, i, err, uid)
				}
			}
		}
	}
}

func TestTokenTimes(t *testing.T) {
	ring := testRing(1)
	issued := time.Now().Truncate(time.Second)
	tests := []struct {
		name  string
		at    time.Duration // of the clock, after the time of issue
		want  error
		exact error
	}{
		{"OK/at once", 0, nil, nil},
		{"OK/a second before its expiry", 7199 * time.Second, nil, nil},
		{"wire.ErrTokenExpired/at its expiry", 7200 * time.Second, wire.ErrTokenExpired, nil},
		{"wire.ErrTokenExpired/years later", 10 * 365 * 24 * time.Hour, wire.ErrTokenExpired, nil},
		{"OK/dated 60 s ahead", -60 * time.Second, nil, nil},
		{"wire.ErrTokenInvalid/dated 61 s ahead", -61 * time.Second, wire.ErrTokenInvalid, nil},
		{"wire.ErrTokenInvalid/dated a year ahead", -365 * 24 * time.Hour, wire.ErrTokenInvalid, nil},
	}
	token := encodeAt(t, ring, issued, 7200)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i, err := ring.decode(purposeToken, token)
			if err != nil {
				t.Fatal(err)
			}
			if err := i.check(issued.Add(test.at).Unix()); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// vector is a token that every later version must read the same way.
type vector struct {
	Token               string
	Purpose             string
	UID                 uint32
	IssuedAt, ExpiresAt int64
	Serial              uint16
	Scope               models.Scope
	ClientType          models.ClientType
}

// TestTokenVectors decodes fixed tokens signed by the key 01 02 03 … 20 (hexadecimal).
func TestTokenVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	for _, v := range vectors {
		got, err := testRing(1).decode(v.Purpose, v.Token)
		want := Identity{UID: v.UID, ClientType: v.ClientType, Scope: v.Scope, ExpiresAt: v.ExpiresAt,
			TokenID: models.TokenID{UID: v.UID, IssuedAt: v.IssuedAt, Serial: v.Serial}}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", v.Token, got, err, want)
		}
	}
}

// TestUnknownClaims: what a key of ours signed but this version does not know is invalid, not a fault.
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

func TestLifetime(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want int64
	}{
		{0, 0}, {-time.Second, 0}, {999 * time.Millisecond, 0}, {time.Second, 1}, {2 * time.Hour, 7200},
		{maxCount * time.Second, maxCount}, {16384 * time.Second, 16380}, {24 * time.Hour, 86400},
		{180 * 24 * time.Hour, 180 * 86400}, {maxCount * time.Hour, maxCount * 3600}, {1 << 62, 0},
	}
	for _, test := range tests {
		got, err := Lifetime(test.d)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%s: %d, %v, want %d", test.d, got, err, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	ring := testRing(1)
	token := mustEncode(f, ring, purposeToken, someone(7, 3, 7200))
	for _, seed := range []string{"", token, token[:55], token + "A", strings.Repeat("A", wire.TokenLength)} {
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

// FuzzClaims: whatever claims parse are their own re-encoding.
func FuzzClaims(f *testing.F) {
	f.Add([]byte{0, 0, 0, 7, 0x1c, 0x20, 1, 0x10, 3})
	f.Fuzz(func(t *testing.T, claims []byte) {
		var i Identity
		if (claimsSerializer{}).Deserialize(claims, &i) != nil {
			return
		}
		again, err := (claimsSerializer{}).Serialize(i)
		if err != nil {
			t.Fatal(err)
		}
		var j Identity
		if err := (claimsSerializer{}).Deserialize(again, &j); err != nil || i != j {
			t.Errorf("%x: %+v, then %+v, %v", claims, i, j, err)
		}
	})
}

func FuzzBasic(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString([]byte("user:pass")))
	f.Add("dTpw\r\n")
	f.Add("====")
	f.Fuzz(func(t *testing.T, encoded string) {
		c, ok := parseBasic(encoded)
		if !ok {
			return
		}
		again := base64.RawStdEncoding.EncodeToString([]byte(c.User + ":" + c.Password))
		if strings.TrimRight(encoded, "=") != again || strings.Contains(c.User, ":") {
			t.Errorf("%q is read as %q", encoded, c)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add("Basic dTpw")
	f.Add("bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		token, err := tokenFromHeader([]string{header})
		if err != nil && !errors.Is(err, wire.ErrTokenInvalid) {
			t.Errorf("%q: %v", header, err)
		}
		if err == nil && token == "" {
			t.Errorf("%q gives an empty token", header)
		}
	})
}

func FuzzPHC(f *testing.F) {
	f.Add(phc(DefaultParams(), make([]byte, saltSize), make([]byte, hashSize)))
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, hash, err := parsePHC(s)
		if err == nil && (phc(p, salt, hash) != s || p.Check() != nil) {
			t.Errorf("%q is read as %+v", s, p)
		}
	})
}

func FuzzSecretFile(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString(testKey(1)) + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		secret, why := parseMasterKey(text)
		again := base64.StdEncoding.EncodeToString(secret.key[:])
		if why == "" && strings.TrimSuffix(string(text), "\n") != again {
			t.Errorf("%q is read as a secret", text)
		}
	})
}
