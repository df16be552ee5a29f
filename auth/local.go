package auth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"latchkey/client/wire"
	"latchkey/models"
)

// Open opens the data directory of a Latchkey server, so that another program on the same machine
// can verify tokens. It creates nothing: a missing database or master key is an error. The caller
// must run Authority.Run, or every token is rejected after Options.Lag, and close the store after
// it.
func Open(ctx context.Context, dir string, o Options) (*Authority, *models.Store, error) {
	path := filepath.Join(dir, "secret")
	key, err := LoadMasterKey(path)
	if err != nil {
		return nil, nil, err
	}
	store, err := models.Open(ctx, dir, false)
	if err != nil {
		return nil, nil, err
	}
	ring, err := LoadKeyRing(ctx, store, key, path)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	a, err := NewAuthority(ctx, store, ring, o)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return a, store, nil
}

// Local is a guard.Verifier that verifies tokens in this process, without a request to a server.
type Local struct {
	Authority *Authority
	Secure    bool // browsers reach this service by https, directly or through a proxy
}

// Verify returns the identity of a request's token; see guard.Verifier.
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
	required, known := a.RequiredScope(cmp.Or(scope, wire.UserScope))
	if !known || !i.Scope.Includes(required) {
		return wire.Identity{}, wire.ErrScope
	}
	account, err := a.Account(r.Context(), i.UID)
	if err != nil {
		return wire.Identity{}, guardError(err)
	}
	return wire.Identity{UID: i.UID, Account: account, Type: int(i.ClientType),
		Scope: a.ScopeName(i.Scope), TokenID: i.TokenID.String()}, nil
}

// guardError returns the errors that guard knows, and wire.ErrUnavailable for every other.
func guardError(err error) error {
	if errors.Is(err, wire.ErrTokenInvalid) || errors.Is(err, wire.ErrTokenExpired) {
		return err
	}
	return errors.Join(wire.ErrUnavailable, err)
}

const accountSlots = 1 << 16

// accountCache caches the accounts of users by their id. Neither ever changes, so an entry is never
// out of date. It is safe for concurrent use.
type accountCache struct {
	slots [accountSlots]atomic.Pointer[models.User]
}

// Account returns the account of a user whose token was verified. Errors: wire.ErrTokenInvalid if
// the account was deleted since, and the store's.
func (a *Authority) Account(ctx context.Context, uid uint32) (string, error) {
	slot := &a.accounts.slots[uid%accountSlots]
	if cached := slot.Load(); cached != nil && cached.ID == uid {
		return cached.Account, nil
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
