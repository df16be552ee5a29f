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
	if err := s.checkScopes(identity, c.Request().URL.RawQuery); err != nil {
		return err
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

// checkScopes checks the scopes of a query. All of them are required: if a proxy names a scope and
// passes on its client's query, the client can only add requirements. Without any, UserScope is
// required.
func (s *Server) checkScopes(identity auth.Identity, query string) error {
	named := false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(name); err != nil || key != "scope" {
			continue // a malformed name is not ours
		}
		if err := s.checkScope(identity, value); err != nil {
			return err
		}
		named = true
	}
	if !named {
		return s.checkScope(identity, wire.UserScope)
	}
	return nil
}

// checkScope checks an escaped scope. A malformed or unknown one is an error.
func (s *Server) checkScope(identity auth.Identity, escaped string) error {
	value, err := url.QueryUnescape(escaped)
	if err != nil {
		return fmt.Errorf("%w: the required scope is malformed", wire.ErrScope)
	}
	required, known := s.authority.RequiredScope(value)
	if !known {
		return fmt.Errorf("%w: the required scope does not exist", wire.ErrScope)
	}
	if !identity.Scope.Includes(required) {
		return wire.ErrScope
	}
	return nil
}
