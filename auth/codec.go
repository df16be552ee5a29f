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

// The purposes separate tokens that are signed by the same key. The purpose is part of the signed
// data.
const (
	purposeToken  = "token"
	purposeSetup  = "setup"
	purposeReset  = "reset"
	purposeDevice = "device"
)

const (
	claimsSize = 9  // bytes
	macSize    = 18 // bytes
	timeDigits = 10 // of the time of issue
	keySize    = 32 // bytes
)

// errTick means that a new second began between choosing a token's id and signing it.
var errTick = errors.New("the second changed while the token was signed")

// codec signs and authenticates tokens with one key.
type codec struct {
	cookie *securecookie.SecureCookie
}

func newCodec(key []byte) codec {
	cookie := securecookie.New(key, nil)
	cookie.HashFunc(newMAC)
	cookie.SetSerializer(claimsSerializer{})
	cookie.MaxAge(0) // expiry is checked here: the library reports it like an invalid token
	cookie.MaxLength(wire.TokenLength)
	return codec{cookie}
}

// newMAC returns BLAKE2b with the size of the MAC.
func newMAC() hash.Hash {
	h, err := blake2b.New(macSize, nil)
	if err != nil {
		panic(err) // the size is constant
	}
	return h
}

// encode signs an identity. securecookie reads the clock for the time of issue; errTick means that
// this is not the second of the identity's token id.
func (c codec) encode(purpose string, i Identity) (string, error) {
	token, err := c.cookie.Encode(purpose, i)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if err := checkForm(token); err != nil {
		return "", fmt.Errorf("sign token: the clock is outside the years 2001 to 2286: %w", err)
	}
	if issued, err := issuedAt(token); err != nil || issued != i.TokenID.IssuedAt {
		return "", errTick
	}
	return token, nil
}

// decode authenticates a token that has passed checkForm. It does not check times.
func (c codec) decode(purpose, token string) (Identity, error) {
	var i Identity
	if err := c.cookie.Decode(purpose, token, &i); err != nil {
		if errors.Is(err, securecookie.ErrMacInvalid) {
			return Identity{}, errSignature
		}
		return Identity{}, errClaims // the MAC is right, so the error is the serializer's
	}
	issued, err := issuedAt(token)
	if err != nil {
		return Identity{}, errClaims
	}
	i.TokenID.IssuedAt = issued
	i.ExpiresAt += issued
	return i, nil
}

// checkForm rejects everything that is not 56 characters of the alphabet. securecookie tolerates
// line breaks in base64, and has another kind of error for a token that is too long.
func checkForm(token string) error {
	if len(token) != wire.TokenLength {
		return errLength
	}
	if !wire.HasTokenAlphabet(token) {
		return errAlphabet
	}
	return nil
}

// issuedAt returns the time of issue, the first ten bytes of a token.
func issuedAt(token string) (int64, error) {
	var head [12]byte
	if _, err := base64.URLEncoding.Decode(head[:], []byte(token[:16])); err != nil {
		return 0, err
	}
	for _, b := range head[:timeDigits] {
		if b < '0' || b > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	return strconv.ParseInt(string(head[:timeDigits]), 10, 64)
}

// claimsSerializer encodes the claims in 9 bytes. securecookie's own serializers are longer and
// slower.
type claimsSerializer struct{}

// Serialize returns the claims of an Identity.
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

// Deserialize reads authenticated claims into an *Identity. It sets ExpiresAt to the lifetime
// alone, because the claims do not include the time of issue. Errors: errClaims for values that
// this version does not know.
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

// packLifetime encodes a lifetime in seconds in the smallest unit that holds it, so that it has
// only one encoding.
func packLifetime(seconds int64) (uint16, error) {
	for code, unit := range lifetimeUnits() {
		if seconds > 0 && seconds%unit == 0 && seconds/unit <= maxCount {
			return uint16(code)<<14 | uint16(seconds/unit), nil
		}
	}
	return 0, fmt.Errorf("a lifetime of %d seconds has no encoding", seconds)
}

func unpackLifetime(packed uint16) (int64, bool) {
	units := lifetimeUnits()
	code, count := int(packed>>14), int64(packed&maxCount)
	if code >= len(units) || count == 0 {
		return 0, false
	}
	return count * units[code], true //nolint:gosec // code is checked above
}

// clientTypes returns the client types by their code in a token. Code 0 is not used.
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
	return 0, fmt.Errorf("client type %s has no code in a token", t)
}

func unpackClientType(code uint16) (models.ClientType, bool) {
	known := clientTypes()
	if code == 0 || int(code) >= len(known) {
		return 0, false
	}
	return known[code], true
}
