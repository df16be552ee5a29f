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

// A pair of account and secret that was right is remembered for bridgeFor; bridgeSize bounds how
// many are.
const (
	bridgeFor  = 5 * time.Minute
	bridgeSize = 4096
)

var (
	errPair      = invalid("neither a token nor an account with its secret")
	errForgotten = errors.New("this pair is not remembered")
)

// Bridge lets clients in that cannot log in first: they send the account and its secret by HTTP
// Basic, as they would to a server with a password file. A pair costs one hash the first time.
// Then it is remembered by a keyed hash of it, never by itself, as long as the account stays as
// it is. It is safe for concurrent use.
type Bridge struct {
	authority *Authority
	key       []byte
	known     *lru.Cache[pairKey, bridged]
}

type pairKey [blake2b.Size256]byte

// bridged is whose a pair was, and until when that counts.
type bridged struct {
	uid   uint32
	epoch int64
	until time.Time
}

// NewBridge makes a bridge to an authority's accounts.
func NewBridge(a *Authority) (*Bridge, error) {
	key := make([]byte, blake2b.Size256)
	rand.Read(key) // cannot fail since Go 1.24
	known, err := lru.New[pairKey, bridged](bridgeSize)
	return &Bridge{authority: a, key: key, known: known}, err
}

// Verify says whose an account and secret are that came from an address, with the scope that a
// login would give and without a token's id. Errors: wire.ErrTokenInvalid for a wrong pair of any kind
// and for one try too many, ErrBusy, and the store's.
func (b *Bridge) Verify(
	ctx context.Context, c BasicCredential, address string,
) (Identity, error) {
	l := Login{Account: c.User, Password: c.Password, ClientType: models.TypeOf(c.User),
		Client: Client{Address: address}}
	if l.Check() != nil {
		return Identity{}, errPair
	}
	key := b.keyOf(c)
	i, err := b.recall(ctx, key)
	if !errors.Is(err, errForgotten) {
		return i, err
	}
	i, err = b.attempt(ctx, key, l)
	var refusal *LoginError
	if errors.As(err, &refusal) { // of no interest to who asks for a page
		return Identity{}, fmt.Errorf("%w: %s", errPair, refusal.Error())
	}
	return i, err
}

// attempt checks a pair by its hash, after reserving a try. Whoever waited for that or for a slot
// may find that a request before it has done the work.
func (b *Bridge) attempt(ctx context.Context, key pairKey, l Login) (i Identity, err error) {
	patient, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	try, err := b.authority.limiter.reserve(patient, b.authority.limitKeys(l, 0))
	if err != nil {
		return Identity{}, err
	}
	defer try.release()
	err = b.authority.hasher.inSlot(patient, l.origin(), func() error {
		i, err = b.recall(ctx, key)
		if errors.Is(err, errForgotten) {
			i, err = b.learn(ctx, key, l, try)
		}
		return err
	})
	return i, err
}

// keyOf names a pair; the length keeps "a" and "bc" apart from "ab" and "c".
func (b *Bridge) keyOf(c BasicCredential) pairKey {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(c.User)))
	text = append(append(text, c.User...), c.Password...)
	hash, _ := blake2b.New256(b.key) // errs only for a longer key
	hash.Write(text)
	return pairKey(hash.Sum(nil))
}

// recall is whose a remembered pair is, if the account has not changed since. Errors:
// errForgotten.
func (b *Bridge) recall(ctx context.Context, key pairKey) (Identity, error) {
	entry, ok := b.known.Get(key)
	if !ok || !time.Now().Before(entry.until) {
		return Identity{}, errForgotten
	}
	found, err := b.authority.store.CredentialsByID(ctx, entry.uid)
	if errors.Is(err, models.ErrNotFound) ||
		err == nil && (found.Epoch != entry.epoch || found.User.State != models.Active) {
		b.known.Remove(key)
		return Identity{}, errForgotten
	}
	if err != nil {
		return Identity{}, err
	}
	return bridgedIdentity(found.User, entry.until), nil
}

// learn makes a try at a pair, in a slot that the caller has, and remembers it if it is right.
func (b *Bridge) learn(ctx context.Context, key pairKey, l Login, try *reservation) (Identity, error) {
	found, err := b.authority.credentials(ctx, l)
	if err != nil {
		return Identity{}, err
	}
	right, err := b.authority.hasher.check(l.Password, found.PasswordHash)
	if err != nil {
		return Identity{}, err
	}
	if err := try.decide(ctx, found, right); err != nil {
		return Identity{}, err
	}
	until := time.Now().Add(bridgeFor)
	b.known.Add(key, bridged{found.User.ID, found.Epoch, until})
	return bridgedIdentity(found.User, until), nil
}

func bridgedIdentity(u models.User, until time.Time) Identity {
	return Identity{UID: u.ID, ClientType: u.ClientType, Scope: u.Role.Scope(),
		ExpiresAt: until.Unix()}
}

// HasToken says whether the identity is that of a token; the bridge's is not.
func (i Identity) HasToken() bool { return i.TokenID != models.TokenID{} }

// Require is Authority.Require that takes an account and its secret, too.
func (b *Bridge) Require(scope models.Scope) echo.MiddlewareFunc {
	return b.authority.require(scope, b.identify)
}

// identify says who a request's token speaks for, or its account and secret. With a session cookie
// beside them the request has two credentials and is refused.
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
