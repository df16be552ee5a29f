package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
)

// caller is who the verified token of the request speaks for; the routes that use it all require
// one.
func caller(c echo.Context) auth.Identity {
	identity, _ := auth.IdentityFrom(c)
	return identity
}

// plainUID answers 404 for a uid that is no plain number, before any token is looked at: there is
// no such route.
func plainUID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		uid := c.Param("uid")
		if strings.Trim(uid, "0123456789") != "" || (len(uid) > 1 && uid[0] == '0') {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// uidParam is the uid of the path; known is false for a number that no user can have.
func uidParam(c echo.Context) (uid uint32, known bool) {
	n, err := strconv.ParseUint(c.Param("uid"), 10, 32)
	return uint32(n), err == nil
}

// signedIn lets a page's handler through only with a session; anybody else goes to sign in.
func (s *Server) signedIn(
	handle func(c echo.Context, identity auth.Identity, token string) error,
) echo.HandlerFunc {
	return func(c echo.Context) error {
		identity, token, err := s.session(c)
		if err == nil && c.Request().Method == http.MethodPost {
			err = readForm(c)
		}
		if err == nil {
			err = handle(c, identity, token)
		}
		if errors.Is(err, wire.ErrTokenInvalid) || errors.Is(err, wire.ErrTokenExpired) ||
			errors.Is(err, wire.ErrScope) {
			return c.Redirect(http.StatusSeeOther, "/login?next=%2Faccount")
		}
		return err
	}
}
