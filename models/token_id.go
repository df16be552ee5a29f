package models

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSerial is the highest serial: a user can be given 4,096 tokens in one second.
const MaxSerial = 4095

// TokenID names one token for ever: its owner, the second it was issued in, and its number within
// that second. It is no secret; logs, lists and commands name a token by it.
type TokenID struct {
	UID      uint32
	IssuedAt int64 // Unix seconds
	Serial   uint16
}

// String is the id in text: "7-1795421052-0".
func (id TokenID) String() string {
	return fmt.Sprintf("%d-%d-%d", id.UID, id.IssuedAt, id.Serial)
}

// ParseTokenID reads the one spelling that String writes; ok is false for any other text.
func ParseTokenID(s string) (id TokenID, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return TokenID{}, false
	}
	uid, err1 := strconv.ParseUint(parts[0], 10, 32)
	issued, err2 := strconv.ParseInt(parts[1], 10, 64)
	serial, err3 := strconv.ParseUint(parts[2], 10, 12)
	id = TokenID{UID: uint32(uid), IssuedAt: issued, Serial: uint16(serial)}
	return id, errors.Join(err1, err2, err3) == nil && id.String() == s
}

// Order is the position among the tokens of one user: a later token has a higher one.
func (id TokenID) Order() int64 { return id.IssuedAt<<12 | int64(id.Serial) }

// idOf is the token of a user that stands at an order.
func idOf(uid uint32, order int64) TokenID {
	return TokenID{UID: uid, IssuedAt: order >> 12, Serial: uint16(order & MaxSerial)}
}

// compare orders tokens, so that two processes that note the same ones do not wait for each other.
func (id TokenID) compare(other TokenID) int {
	return cmp.Or(cmp.Compare(id.UID, other.UID), cmp.Compare(id.Order(), other.Order()))
}
