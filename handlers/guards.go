package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// registrationOpen rejects registrations if the operator has closed them.
func (s *Server) registrationOpen(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.config.Registration.open() {
			return errRegistrationClosed
		}
		return next(c)
	}
}

// ownAccount turns "not found" into "token is invalid" on routes that use the caller's account: an
// account that was deleted a moment ago has no valid tokens.
func ownAccount(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if errors.Is(err, models.ErrNotFound) {
			return wire.ErrTokenInvalid
		}
		return err
	}
}

// signedIn requires a session. It redirects everyone else to the login page, also if the session's
// token is revoked while the handler runs.
func (s *Server) signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		_, _, err := s.session(c)
		if err == nil {
			err = next(c)
		}
		if errors.Is(err, wire.ErrTokenInvalid) || errors.Is(err, wire.ErrTokenExpired) ||
			errors.Is(err, wire.ErrScope) {
			redirected := c.Redirect(http.StatusSeeOther, "/login?next=%2Faccount")
			return errors.Join(redirected, err) // for the access log
		}
		return err
	}
}

// byLogin requires that the token of the session is a login token. It stands after signedIn; routes
// of the API use Authority.Require.
func (s *Server) byLogin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.requireLogin(c); err != nil {
			return err
		}
		return next(c)
	}
}

// ownByLogin requires a login token where the path names the caller's own account. An
// administrator's service token is for the accounts of others.
func (s *Server) ownByLogin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if uid, ok := uidParam(c); ok && uid == caller(c).UID {
			if err := s.requireLogin(c); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// requireLogin returns an error unless the request's token is a login token.
func (s *Server) requireLogin(c echo.Context) error {
	return s.authority.CheckKind(c.Request().Context(), caller(c), models.LoginToken)
}

// form parses the form in the request's body.
func form(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := readForm(c); err != nil {
			return err
		}
		return next(c)
	}
}

// plainUID returns 404 for a uid that is not a plain number, before the token is checked, because
// there is no such route.
func plainUID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		uid := c.Param("uid")
		if strings.Trim(uid, "0123456789") != "" || (len(uid) > 1 && uid[0] == '0') {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// uidParam returns the uid of the path; ok is false for a number that no user can have.
func uidParam(c echo.Context) (uid uint32, ok bool) {
	n, err := strconv.ParseUint(c.Param("uid"), 10, 32)
	return uint32(n), err == nil
}

// caller returns the owner of the request's token. The route's guards have verified it.
func caller(c echo.Context) auth.Identity {
	identity, _ := auth.IdentityFrom(c)
	return identity
}

// acting returns the context of a request in which its token acts, for the log of what it revokes.
func acting(c echo.Context) context.Context {
	ctx := c.Request().Context()
	if identity, ok := auth.IdentityFrom(c); ok {
		ctx = auth.WithActor(ctx, identity.String())
	}
	return ctx
}
