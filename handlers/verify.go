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

// verify is the endpoint for reverse proxies, with any method. It returns 200 with the owner of
// the token in X-Auth-* headers, 401, or 403 if the token lacks a scope of the query. The verdict
// depends only on Authorization, the cookie and ?scope=. The body is not read.
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

// checkScope checks one pair of the query. All scopes in the query are required: if a proxy passes
// on its client's query, the client can only add requirements. Other parameters are ignored, but a
// malformed scope is an error.
func (s *Server) checkScope(identity auth.Identity, pair string) error {
	name, value, _ := strings.Cut(pair, "=")
	if key, err := url.QueryUnescape(name); err != nil || key != "scope" {
		return nil //nolint:nilerr // a malformed name is not ours
	}
	value, err := url.QueryUnescape(value)
	if err != nil {
		return fmt.Errorf("%w: the required scope is malformed", wire.ErrScope)
	}
	required, known := s.authority.ScopeByName(value)
	if !known {
		return fmt.Errorf("%w: the required scope does not exist", wire.ErrScope)
	}
	if !identity.Scope.Includes(required) {
		return wire.ErrScope
	}
	return nil
}
