package auth

import (
	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
)

// identityKey is the key of the identity in an Echo context.
const identityKey = "latchkey.identity"

// Require returns Echo middleware that accepts only requests with a valid token that has the scope.
// IdentityFrom then returns the token's identity. The middleware returns wire.ErrTokenInvalid,
// wire.ErrTokenExpired, wire.ErrScope or ErrStale to Echo's error handler.
func (a *Authority) Require(scope models.Scope) echo.MiddlewareFunc {
	return a.require(scope, a.identify)
}

func (a *Authority) require(
	scope models.Scope, identify func(echo.Context) (Identity, error),
) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			identity, err := identify(c)
			if err != nil {
				return err
			}
			SetIdentity(c, identity)
			if !identity.Scope.Includes(scope) {
				return wire.ErrScope
			}
			return next(c)
		}
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
