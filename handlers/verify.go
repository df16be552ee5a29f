package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
)

// verifyPath is where reverse proxies ask whether a request may pass.
const verifyPath = "/v1/verify"

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
	h := c.Response().Header()
	h.Set("X-Auth-Uid", strconv.FormatUint(uint64(identity.UID), 10))
	h.Set("X-Auth-Account", account)
	h.Set("X-Auth-Type", strconv.Itoa(int(identity.ClientType)))
	h.Set("X-Auth-Scope", s.authority.ScopeName(identity.Scope))
	h.Set("X-Auth-Token-Id", "bridge")
	if identity.HasToken() {
		h.Set("X-Auth-Token-Id", identity.TokenID.String())
	}
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
		return fmt.Errorf("%w: the scope asked for cannot be read", auth.ErrScope)
	}
	wanted, known := s.authority.ScopeByName(value)
	if !known {
		return fmt.Errorf("%w: there is no scope of the name asked for", auth.ErrScope)
	}
	if !identity.Scope.Includes(wanted) {
		return auth.ErrScope
	}
	return nil
}
