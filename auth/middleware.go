package auth

import (
	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
)

// identityKey is where the middleware leaves the identity in the request's context.
const identityKey = "latchkey.identity"

// Require is Echo middleware that lets a request through only with a valid token of the given
// scope, and leaves who it speaks for to IdentityFrom. It refuses by returning wire.ErrTokenInvalid,
// wire.ErrTokenExpired, wire.ErrScope or ErrStale, which the server's error handler turns into an answer.
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

// identify says who a request's token speaks for.
func (a *Authority) identify(c echo.Context) (Identity, error) {
	token, err := TokenFrom(c.Request(), a.CookieName(c.Scheme() == "https"))
	if err != nil {
		return Identity{}, err
	}
	return a.Verify(token)
}

// SetIdentity leaves an identity that was verified by other means to IdentityFrom.
func SetIdentity(c echo.Context, i Identity) { c.Set(identityKey, i) }

// IdentityFrom returns who the request's token speaks for; ok is false when no token was
// verified.
func IdentityFrom(c echo.Context) (i Identity, ok bool) {
	i, ok = c.Get(identityKey).(Identity)
	return i, ok
}
