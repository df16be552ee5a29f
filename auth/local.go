package auth

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"latchkey/client/wire"
	"latchkey/models"
)

// Open opens the data directory of a Latchkey server for another program on the same machine,
// which then verifies tokens by itself. It makes nothing: a missing database or secret is an
// error. Run Authority.Run beside it, or every token is refused after Options.Lag; close the
// store at the end.
func Open(ctx context.Context, dir string, o Options) (*Authority, *models.Store, error) {
	path := filepath.Join(dir, "secret")
	secret, err := LoadMasterKey(path)
	if err != nil {
		return nil, nil, err
	}
	store, err := models.Open(ctx, dir, false)
	if err != nil {
		return nil, nil, err
	}
	ring, err := LoadKeyRing(ctx, store, secret, path)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	a, err := NewAuthority(ctx, store, ring, o)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return a, store, nil
}

// Local is a guard.Verifier that verifies tokens in this process, without asking a server.
type Local struct {
	Authority *Authority
	Secure    bool // browsers reach this service by https, also if a proxy ends it before
}

// Verify says whose token a request carries; see guard.Verifier.
func (l Local) Verify(r *http.Request, scope string) (wire.Identity, error) {
	a := l.Authority
	token, err := TokenFrom(r, a.CookieName(l.Secure || r.TLS != nil))
	if err != nil {
		return wire.Identity{}, guardError(err)
	}
	i, err := a.Verify(token)
	if err != nil {
		return wire.Identity{}, guardError(err)
	}
	if wanted, known := a.ScopeByName(scope); scope != "" && (!known || !i.Scope.Includes(wanted)) {
		return wire.Identity{}, wire.ErrScope
	}
	account, err := a.Account(r.Context(), i.UID)
	if err != nil {
		return wire.Identity{}, guardError(err)
	}
	return wire.Identity{UID: i.UID, Account: account, Type: int(i.ClientType),
		Scope: a.ScopeName(i.Scope), TokenID: i.TokenID.String()}, nil
}

// guardError keeps the errors that guard knows; every other is its ErrUnavailable.
func guardError(err error) error {
	if errors.Is(err, wire.ErrTokenInvalid) || errors.Is(err, wire.ErrTokenExpired) {
		return err
	}
	return errors.Join(wire.ErrUnavailable, err)
}

// accountSlots bounds how many accounts are remembered.
const accountSlots = 1 << 16

// accountCache remembers the account of recently seen users. Neither a user's number nor its account
// ever changes, so nothing here grows old. It is safe for concurrent use.
type accountCache struct {
	slots [accountSlots]atomic.Pointer[models.User]
}

// Account is the account of a user for whom a token was verified a moment ago. Errors:
// wire.ErrTokenInvalid, for tokens end with their account, and the store's.
func (a *Authority) Account(ctx context.Context, uid uint32) (string, error) {
	slot := &a.accounts.slots[uid%accountSlots]
	if known := slot.Load(); known != nil && known.ID == uid {
		return known.Account, nil
	}
	user, err := a.store.UserByID(ctx, uid)
	if errors.Is(err, models.ErrNotFound) {
		return "", errNoAccount
	}
	if err != nil {
		return "", err
	}
	slot.Store(&models.User{ID: uid, Account: user.Account})
	return user.Account, nil
}
