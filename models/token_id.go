package models

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSerial is the highest serial. A user can be issued 4,096 tokens in one second.
const MaxSerial = 4095

// TokenID identifies a token and is never used again. It is not confidential: logs, lists and
// commands refer to a token by its id.
type TokenID struct {
	UID      uint32
	IssuedAt int64  // Unix seconds
	Serial   uint16 // distinguishes tokens of the same second
}

// String returns the id as text, such as "7-1795421052-0".
func (id TokenID) String() string {
	return fmt.Sprintf("%d-%d-%d", id.UID, id.IssuedAt, id.Serial)
}

// ParseTokenID reads what String writes. It returns false for any other text, even for another
// spelling of the same numbers.
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

// Order returns the token's position among the user's tokens. A later token has a higher one.
func (id TokenID) Order() int64 { return id.IssuedAt<<12 | int64(id.Serial) }

// tokenAt returns the id of a user's token from its order.
func tokenAt(uid uint32, order int64) TokenID {
	return TokenID{UID: uid, IssuedAt: order >> 12, Serial: uint16(order & MaxSerial)}
}

// compare sorts tokens by user, then by order.
func (id TokenID) compare(other TokenID) int {
	return cmp.Or(cmp.Compare(id.UID, other.UID), cmp.Compare(id.Order(), other.Order()))
}
