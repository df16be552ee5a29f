package auth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/blake2b"

	"latchkey/models"
)

const (
	bridgeTTL  = 5 * time.Minute // how long a correct password is cached
	bridgeSize = 4096            // entries
)

var (
	errPair      = invalid("neither a token nor an account with its password")
	errNotCached = errors.New("the password is not cached")
)

// Bridge accepts clients that cannot log in first. They send account and password with every
// request by HTTP Basic, as to a server with a password file. The first request costs one hash.
// Then the pair is cached under its keyed hash until the account changes. A Bridge is safe for
// concurrent use.
type Bridge struct {
	authority *Authority
	key       []byte
	cache     *lru.Cache[pairKey, bridged]
}

type pairKey [blake2b.Size256]byte

// bridged is the user of a correct pair of account and password.
type bridged struct {
	uid   uint32
	epoch int64
	until time.Time
}

// NewBridge returns a Bridge to the accounts of an Authority.
func NewBridge(a *Authority) (*Bridge, error) {
	key := make([]byte, blake2b.Size256)
	rand.Read(key) // cannot fail since Go 1.24
	cache, err := lru.New[pairKey, bridged](bridgeSize)
	return &Bridge{authority: a, key: key, cache: cache}, err
}

// Verify returns the identity of the user with an account and password. address is the client's.
// The identity has the scope of a login token and no token id. Errors: wire.ErrTokenInvalid for
// every wrong pair and for too many failed attempts, ErrBusy, and the store's.
func (b *Bridge) Verify(
	ctx context.Context, c BasicCredential, address string,
) (Identity, error) {
	l := Login{Account: c.User, Password: c.Password, ClientType: models.TypeOf(c.User),
		Client: Client{Address: address}}
	if l.Check() != nil {
		return Identity{}, errPair
	}
	key := b.keyOf(c)
	i, err := b.cached(ctx, key)
	if !errors.Is(err, errNotCached) {
		return i, err
	}
	i, err = b.attempt(ctx, key, l)
	var loginErr *LoginError
	if errors.As(err, &loginErr) { // the state of the limit is for logins only
		attr, known := RejectionAttr(err)
		err = fmt.Errorf("%w: %s", errPair, loginErr.Error())
		if known {
			err = rejection{err, attr}
		}
		return Identity{}, err
	}
	return i, err
}

// attempt reserves an attempt and hashes the password in a slot. While it waited for these, another
// request with the same pair may have filled the cache.
func (b *Bridge) attempt(ctx context.Context, key pairKey, l Login) (i Identity, err error) {
	limited, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	attempt, err := b.authority.limiter.reserve(limited, b.authority.limitKeys(l, 0))
	if err != nil {
		return Identity{}, err
	}
	defer attempt.release()
	err = b.authority.hasher.inSlot(limited, l.origin(), func() error {
		i, err = b.cached(ctx, key)
		if errors.Is(err, errNotCached) {
			i, err = b.hash(ctx, key, l, attempt)
		}
		return err
	})
	return i, err
}

// keyOf returns the cache key of a pair. The length keeps "a" and "bc" apart from "ab" and "c".
func (b *Bridge) keyOf(c BasicCredential) pairKey {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(c.User)))
	text = append(append(text, c.User...), c.Password...)
	hash, _ := blake2b.New256(b.key) // fails only for a longer key
	hash.Write(text)
	return pairKey(hash.Sum(nil))
}

// cached returns the identity of a cached pair, unless the account has changed since. Errors:
// errNotCached, and the store's.
func (b *Bridge) cached(ctx context.Context, key pairKey) (Identity, error) {
	entry, ok := b.cache.Get(key)
	if !ok || !time.Now().Before(entry.until) {
		return Identity{}, errNotCached
	}
	found, err := b.authority.store.CredentialsByID(ctx, entry.uid)
	if errors.Is(err, models.ErrNotFound) ||
		err == nil && (found.Epoch != entry.epoch || found.User.State != models.Active) {
		b.cache.Remove(key)
		return Identity{}, errNotCached
	}
	if err != nil {
		return Identity{}, err
	}
	return bridgedIdentity(found.User, entry.until), nil
}

// hash compares the password in the caller's slot, ends the attempt, and caches a correct pair.
func (b *Bridge) hash(
	ctx context.Context, key pairKey, l Login, attempt *reservation,
) (Identity, error) {
	found, err := b.authority.credentials(ctx, l)
	if err != nil {
		return Identity{}, err
	}
	right, err := b.authority.hasher.check(l.Password, found)
	if err != nil {
		return Identity{}, err
	}
	if err := attempt.decide(ctx, found, right); err != nil {
		return Identity{}, rejectLogin(found.User, err)
	}
	until := time.Now().Add(bridgeTTL)
	b.cache.Add(key, bridged{found.User.ID, found.Epoch, until})
	return bridgedIdentity(found.User, until), nil
}

func bridgedIdentity(u models.User, until time.Time) Identity {
	return Identity{UID: u.ID, ClientType: u.ClientType, Scope: u.Role.Scope(),
		ExpiresAt: until.Unix()}
}

// Require returns Echo middleware like Authority.Require that also accepts account and password.
func (b *Bridge) Require(scope models.Scope) echo.MiddlewareFunc {
	return requirement{b.authority, scope, models.AnyKind, b.identify}.guard
}

// identify returns the identity of a request's token, or of its account and password. A session
// cookie beside account and password is a second credential, so the request is rejected.
func (b *Bridge) identify(c echo.Context) (Identity, error) {
	i, err := b.authority.identify(c)
	if !errors.Is(err, errNoToken) {
		return i, err
	}
	r := c.Request()
	if len(r.CookiesNamed(b.authority.CookieName(c.Scheme() == "https"))) != 0 {
		return Identity{}, errAmbiguous
	}
	pair, ok := BasicFrom(r)
	if !ok {
		return Identity{}, errHeader
	}
	return b.Verify(r.Context(), pair, c.RealIP())
}
