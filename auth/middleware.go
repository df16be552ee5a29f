package auth

import (
	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
)

// identityKey is the key of the identity in an Echo context.
const identityKey = "latchkey.identity"

// Require returns Echo middleware that accepts only requests with a valid token that has the scope
// and the kind: models.LoginToken, which costs a query, or models.AnyKind, which costs none.
// IdentityFrom then returns the token's identity. The middleware returns wire.ErrTokenInvalid,
// wire.ErrTokenExpired, wire.ErrScope, ErrLoginTokenRequired, ErrStale or an error of the store to
// Echo's error handler.
func (a *Authority) Require(scope models.Scope, kind models.Kind) echo.MiddlewareFunc {
	return requirement{a, scope, kind, a.identify}.guard
}

// requirement is what Require and Bridge.Require require of a request.
type requirement struct {
	authority *Authority
	scope     models.Scope
	kind      models.Kind
	identify  func(echo.Context) (Identity, error)
}

// guard is Echo middleware.
func (r requirement) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		identity, err := r.identify(c)
		if err != nil {
			return err
		}
		SetIdentity(c, identity)
		if !identity.Scope.Includes(r.scope) {
			return wire.ErrScope
		}
		if err := r.authority.CheckKind(c.Request().Context(), identity, r.kind); err != nil {
			return err
		}
		return next(c)
	}
}

// identify returns the identity of a request's token.
func (a *Authority) identify(c echo.Context) (Identity, error) {
	token, err := TokenFrom(c.Request(), a.CookieName(c.Scheme() == "https"))
	if err != nil {
		return Identity{}, err
	}
	return a.Verify(token)
}

// SetIdentity stores an identity for IdentityFrom.
func SetIdentity(c echo.Context, i Identity) { c.Set(identityKey, i) }

// IdentityFrom returns the verified identity of a request. ok is false without one.
func IdentityFrom(c echo.Context) (i Identity, ok bool) {
	i, ok = c.Get(identityKey).(Identity)
	return i, ok
}
