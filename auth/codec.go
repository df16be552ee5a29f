package auth

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strconv"

	"github.com/gorilla/securecookie"
	"golang.org/x/crypto/blake2b"

	"latchkey/client/wire"
	"latchkey/models"
)

// Purposes separate tokens that are signed by the same key: the purpose is part of what is
// signed.
const (
	purposeToken  = "token"
	purposeSetup  = "setup"
	purposeReset  = "reset"
	purposeDevice = "device"
)

const (
	claimsSize = 9  // bytes
	macSize    = 18 // bytes
	digits     = 10 // of the time of issue
	keySize    = 32 // bytes
)

// errTick says that the clock's second changed between choosing a token's id and signing it.
var errTick = errors.New("the second changed while the token was signed")

// codec signs and authenticates tokens with one key.
type codec struct {
	cookie *securecookie.SecureCookie
}

func newCodec(key []byte) codec {
	cookie := securecookie.New(key, nil)
	cookie.HashFunc(newMAC)
	cookie.SetSerializer(claimsSerializer{})
	cookie.MaxAge(0) // expiry is judged by us: the library's is not told from "invalid"
	cookie.MaxLength(wire.TokenLength)
	return codec{cookie}
}

// newMAC is BLAKE2b with the size of our MAC; it fails only for a bad size or key, and both are
// constant.
func newMAC() hash.Hash {
	h, err := blake2b.New(macSize, nil)
	if err != nil {
		panic(err)
	}
	return h
}

// encode signs an identity. securecookie dates the token by the clock itself; errTick says that
// this is not the second of the identity's token id.
func (c codec) encode(purpose string, i Identity) (string, error) {
	// 1. Serialize the claims and sign.
	token, err := c.cookie.Encode(purpose, i)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	// 2. Hold the wire form to its promise.
	if err := checkForm(token); err != nil {
		return "", fmt.Errorf("sign token: clock outside the years 2001 to 2286: %w", err)
	}
	// 3. Compare the second.
	if issued, err := issuedAt(token); err != nil || issued != i.TokenID.IssuedAt {
		return "", errTick
	}
	return token, nil
}

// decode authenticates a token that checkForm let through. It does not judge its times.
func (c codec) decode(purpose, token string) (Identity, error) {
	// 1. The MAC, then the claims.
	var i Identity
	if err := c.cookie.Decode(purpose, token, &i); err != nil {
		if errors.Is(err, securecookie.ErrMacInvalid) {
			return Identity{}, errSignature
		}
		return Identity{}, errClaims // signed by us, so only our serializer can have refused it
	}
	// 2. The time of issue, which completes the id.
	issued, err := issuedAt(token)
	if err != nil {
		return Identity{}, errClaims
	}
	i.TokenID.IssuedAt = issued
	i.ExpiresAt += issued
	return i, nil
}

// checkForm refuses everything that is not 56 characters of the alphabet, before any
// cryptography: the library's base64 tolerates line breaks, and an over-long token is an error of
// another kind to it.
func checkForm(token string) error {
	if len(token) != wire.TokenLength {
		return errLength
	}
	if !wire.HasTokenAlphabet(token) {
		return errAlphabet
	}
	return nil
}

// issuedAt reads the time of issue, which is the token's first ten bytes.
func issuedAt(token string) (int64, error) {
	var head [12]byte
	if _, err := base64.URLEncoding.Decode(head[:], []byte(token[:16])); err != nil {
		return 0, err
	}
	for _, b := range head[:digits] {
		if b < '0' || b > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	return strconv.ParseInt(string(head[:digits]), 10, 64)
}

// claimsSerializer is the 9 bytes of claims; the library's own serializers are longer and slower.
type claimsSerializer struct{}

// Serialize writes the claims of an Identity into a fresh slice.
func (claimsSerializer) Serialize(src any) ([]byte, error) {
	i, ok := src.(Identity)
	if !ok {
		return nil, fmt.Errorf("serialize %T", src)
	}
	lifetime, err := packLifetime(i.ExpiresAt - i.TokenID.IssuedAt)
	if err != nil {
		return nil, err
	}
	clientType, err := packClientType(i.ClientType)
	if err != nil {
		return nil, err
	}
	if i.TokenID.Serial > models.MaxSerial || i.TokenID.UID != i.UID {
		return nil, fmt.Errorf("token id %s does not fit user %d", i.TokenID, i.UID)
	}
	b := make([]byte, 0, claimsSize)
	b = binary.BigEndian.AppendUint32(b, i.UID)
	b = binary.BigEndian.AppendUint16(b, lifetime)
	b = append(b, byte(i.Scope))
	return binary.BigEndian.AppendUint16(b, clientType<<12|i.TokenID.Serial), nil
}

// Deserialize reads authenticated claims into an *Identity; ExpiresAt is set to the lifetime
// alone, because the time of issue is not among the claims. Errors: errClaims for values this
// version does not know.
func (claimsSerializer) Deserialize(src []byte, dst any) error {
	i, ok := dst.(*Identity)
	if !ok || len(src) != claimsSize {
		return errClaims
	}
	i.UID = binary.BigEndian.Uint32(src)
	lifetime, ok := unpackLifetime(binary.BigEndian.Uint16(src[4:]))
	if !ok {
		return errClaims
	}
	i.ExpiresAt = lifetime
	i.Scope = models.Scope(src[6])
	last := binary.BigEndian.Uint16(src[7:])
	if i.ClientType, ok = unpackClientType(last >> 12); !ok || i.Scope == 0 {
		return errClaims
	}
	i.TokenID = models.TokenID{UID: i.UID, Serial: last & models.MaxSerial}
	return nil
}

// packLifetime gives a lifetime in seconds its one spelling: the smallest unit that it fits in.
func packLifetime(seconds int64) (uint16, error) {
	for code, unit := range lifetimeUnits() {
		if seconds > 0 && seconds%unit == 0 && seconds/unit <= maxCount {
			return uint16(code)<<14 | uint16(seconds/unit), nil
		}
	}
	return 0, fmt.Errorf("a lifetime of %d seconds has no spelling", seconds)
}

func unpackLifetime(packed uint16) (int64, bool) {
	units := lifetimeUnits()
	code, count := int(packed>>14), int64(packed&maxCount)
	if code >= len(units) || count == 0 {
		return 0, false
	}
	return count * units[code], true //nolint:gosec // code is checked above
}

// clientTypes are the client types by their code in a token; 0 stays unused.
func clientTypes() [5]models.ClientType {
	return [5]models.ClientType{
		0, models.EMail, models.Mobile, models.MiniProgram, models.OfficialAccount,
	}
}

func packClientType(t models.ClientType) (uint16, error) {
	for code, known := range clientTypes() {
		if t == known && code > 0 {
			return uint16(code), nil
		}
	}
	return 0, fmt.Errorf("%s cannot carry a token", t)
}

func unpackClientType(code uint16) (models.ClientType, bool) {
	known := clientTypes()
	if code == 0 || int(code) >= len(known) {
		return 0, false
	}
	return known[code], true
}
