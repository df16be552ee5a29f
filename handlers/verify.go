package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
)

// verify answers a reverse proxy, whatever the method: 200 and who the request's token speaks for,
// or 401, or 403 when the scopes that the query asks for are not in the token. The verdict rests
// on Authorization, the cookie and ?scope= alone; no body is read.
func (s *Server) verify(c echo.Context) error {
	identity := caller(c)
	for pair := range strings.SplitSeq(c.Request().URL.RawQuery, "&") {
		if err := s.checkScope(identity, pair); err != nil {
			return err
		}
	}
	account, err := s.authority.Account(c.Request().Context(), identity.UID)
	if err != nil {
		return err
	}
	id := "bridge"
	if identity.HasToken() {
		id = identity.TokenID.String()
	}
	wire.Identity{UID: identity.UID, Account: account, Type: int(identity.ClientType),
		Scope: s.authority.ScopeName(identity.Scope), TokenID: id}.SetHeaders(c.Response().Header())
	return c.NoContent(http.StatusOK)
}

// checkScope judges one pair of the query. Every scope that is asked for must be there: a proxy
// may pass its client's query on, which can so ask for more but for no less. What is no scope is
// ignored, except a scope that cannot be read.
func (s *Server) checkScope(identity auth.Identity, pair string) error {
	name, value, _ := strings.Cut(pair, "=")
	if key, err := url.QueryUnescape(name); err != nil || key != "scope" {
		return nil //nolint:nilerr // a name that cannot be read is not ours
	}
	value, err := url.QueryUnescape(value)
	if err != nil {
		return fmt.Errorf("%w: the scope asked for cannot be read", wire.ErrScope)
	}
	wanted, known := s.authority.ScopeByName(value)
	if !known {
		return fmt.Errorf("%w: there is no scope of the name asked for", wire.ErrScope)
	}
	if !identity.Scope.Includes(wanted) {
		return wire.ErrScope
	}
	return nil
}
