package auth

import (
	"errors"
	"fmt"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// The answers that refuse a caller. They are compared with errors.Is; the reason they may be
// wrapped with is for the log, not for the caller.
var (
	// ErrUnknownAccount says that no such account exists.
	ErrUnknownAccount = errors.New("user not found")
	// ErrWrongPassword refuses a login: wrong secret, or a disabled account.
	ErrWrongPassword = errors.New("authorization failed")
	// ErrClientType refuses a client type that is known but has no provider here.
	ErrClientType = errors.New("client is invalid")
	// ErrBusy says that too many secrets wait to be hashed.
	ErrBusy = errors.New("too many logins at once")
	// ErrStale says that the ended tokens could not be followed for too long to trust any token.
	ErrStale = errors.New("ended tokens cannot be followed")
)

// Why a token is invalid.
var (
	errNoCredentials = invalid("no credentials")
	errAmbiguous     = invalid("two different credentials")
	errHeader        = invalid("the Authorization header is malformed")
	errScheme        = invalid("the Authorization scheme is neither Basic nor Bearer")
	errNoToken       = invalid("the credentials hold no token")
	errLength        = invalid("it is not 56 characters long")
	errAlphabet      = invalid("it holds a character other than A-Z, a-z, 0-9, - and _")
	errSignature     = invalid("no key of this server signed it")
	errClaims        = invalid("it is signed but its claims are unknown to this version")
	errFuture        = invalid("it is dated more than 60 seconds ahead of the clock")
	errRevoked       = invalid("it was ended")
	errSpent         = invalid("this link was used or replaced")
	errNoAccount     = invalid("its account does not exist")
)

func invalid(reason string) error { return fmt.Errorf("%w: %s", wire.ErrTokenInvalid, reason) }

// leeway is how far ahead of our clock a token may be dated, for clocks of several nodes that
// differ.
const leeway = 60 // seconds

// Identity is who a valid token speaks for and what it may be used for.
type Identity struct {
	UID        uint32
	ClientType models.ClientType
	Scope      models.Scope
	TokenID    models.TokenID
	ExpiresAt  int64 // Unix seconds: refused from this second on
}

// String names the identity without giving the token away.
func (i Identity) String() string { return "token " + i.TokenID.String() }

// check judges the times of an authenticated token.
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

// Lifetime is the longest lifetime in seconds that a token can carry and that is at most d: exact
// up to four hours and a half, then whole minutes up to eleven days, then whole hours up to 682
// days. Errors: d below one second or too long.
func Lifetime(d time.Duration) (int64, error) {
	seconds := int64(d / time.Second)
	if seconds < 1 {
		return 0, fmt.Errorf("a token's lifetime is at least 1s, not %s", d)
	}
	for _, unit := range lifetimeUnits() {
		if seconds/unit <= maxCount {
			return seconds / unit * unit, nil
		}
	}
	return 0, fmt.Errorf("a token's lifetime is at most %dh, not %s", maxCount, d)
}
