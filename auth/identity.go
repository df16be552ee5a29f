package auth

import (
	"errors"
	"fmt"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// The errors that reject a caller, to be compared with errors.Is. The text that may wrap them is
// for the log.
var (
	// ErrUnknownAccount means that the account does not exist.
	ErrUnknownAccount = errors.New("user not found")
	// ErrWrongPassword means that the password is wrong or the account is not active.
	ErrWrongPassword = errors.New("authorization failed")
	// ErrPending is the ErrWrongPassword of a login with the right password to an account that no
	// administrator has approved yet.
	ErrPending = fmt.Errorf("%w: the account waits for approval", ErrWrongPassword)
	// ErrClientType means that the client type is known but cannot log in here.
	ErrClientType = errors.New("client is invalid")
	// ErrBusy means that too many passwords wait to be hashed.
	ErrBusy = errors.New("too many logins at once")
	// ErrStale means that the revoked tokens in memory are older than Options.Lag, so that no token
	// can be trusted.
	ErrStale = errors.New("the revoked tokens could not be read for too long")
)

// Why a token is invalid.
var (
	errNoCredentials = invalid("no credentials")
	errAmbiguous     = invalid("two different credentials")
	errHeader        = invalid("the Authorization header is malformed")
	errScheme        = invalid("the Authorization scheme is neither Basic nor Bearer")
	errNoToken       = invalid("the credentials contain no token")
	errLength        = invalid("it is not 56 characters long")
	errAlphabet      = invalid("it contains a character other than A-Z, a-z, 0-9, - and _")
	errSignature     = invalid("it was not signed by a key of this server")
	errClaims        = invalid("it is signed, but this version does not know its claims")
	errFuture        = invalid("it was issued more than 60 seconds in the future")
	errRevoked       = invalid("it was revoked")
	errLinkUsed      = invalid("this link was used or replaced")
	errNoAccount     = invalid("its account does not exist")
)

func invalid(reason string) error { return fmt.Errorf("%w: %s", wire.ErrTokenInvalid, reason) }

// leeway is how far in the future a token may have been issued, because the clocks of nodes differ.
const leeway = 60 // seconds

// Identity is the user of a valid token and what the token permits.
type Identity struct {
	UID        uint32
	ClientType models.ClientType
	Scope      models.Scope
	TokenID    models.TokenID
	ExpiresAt  int64 // Unix seconds; the token is rejected from this second on
}

// String returns the id of the token, which does not reveal the token.
func (i Identity) String() string { return "token " + i.TokenID.String() }

// HasToken reports whether the identity is that of a token. A Bridge's is not.
func (i Identity) HasToken() bool { return i.TokenID != models.TokenID{} }

// check checks the times of an authenticated token.
func (i Identity) check(now int64) error {
	if i.TokenID.IssuedAt > now+leeway {
		return errFuture
	}
	if now >= i.ExpiresAt {
		return wire.ErrTokenExpired
	}
	return nil
}

// A lifetime is a count of 14 bits in one of three units.
const maxCount = 1<<14 - 1

func lifetimeUnits() [3]int64 { return [3]int64{1, 60, 3600} }

// Lifetime rounds d down to a lifetime that a token can carry, in seconds: to whole seconds up to
// 4.5 hours, to whole minutes up to 11 days, to whole hours up to 682 days. It returns an error if
// d is out of range.
func Lifetime(d time.Duration) (int64, error) {
	if seconds := int64(d / time.Second); seconds >= 1 {
		for _, unit := range lifetimeUnits() {
			if seconds/unit <= maxCount {
				return seconds / unit * unit, nil
			}
		}
	}
	return 0, fmt.Errorf("the lifetime of a token must be between 1s and %dh (682 days), not %s",
		maxCount, d)
}
