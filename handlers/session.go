package handlers

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// session is who the session cookie speaks for, if its scope is enough for a person. Pages look at
// the cookie alone: a browser goes on sending credentials that were once typed into its own
// dialog.
func (s *Server) session(c echo.Context) (identity auth.Identity, token string, err error) {
	identity, token, err = s.cookie(c)
	if err == nil && !identity.Scope.Includes(models.UserScope) {
		return auth.Identity{}, "", wire.ErrScope
	}
	return identity, token, err
}

// cookie is who the session cookie speaks for, whatever its scope.
func (s *Server) cookie(c echo.Context) (identity auth.Identity, token string, err error) {
	cookie := &http.Request{Header: http.Header{"Cookie": c.Request().Header["Cookie"]}}
	token, err = auth.TokenFrom(cookie, s.cookieName(c))
	if err != nil {
		return auth.Identity{}, "", err
	}
	identity, err = s.authority.Verify(token)
	if err != nil {
		return auth.Identity{}, "", err
	}
	auth.SetIdentity(c, identity) // for the log
	return identity, token, nil
}

func isSecure(c echo.Context) bool { return c.Scheme() == "https" }

func (s *Server) cookieName(c echo.Context) string { return s.authority.CookieName(isSecure(c)) }

// startSession sets the session cookie, which lives as long as its token, and ends the token of
// the session that it takes the place of.
func (s *Server) startSession(c echo.Context, issued auth.Issued) error {
	if err := s.revokeCookie(c, "another login in its browser"); err != nil {
		return err
	}
	s.dropNarrower(c)
	auth.SetIdentity(c, issued.Identity)
	s.setCookie(c, issued)
	return s.setDeviceCookie(c, issued.Identity.UID)
}

// setDeviceCookie leaves a cookie by which this browser is known the next time its user logs in, when
// strangers may have used up their tries.
func (s *Server) setDeviceCookie(c echo.Context, uid uint32) error {
	token, err := s.authority.DeviceToken(uid)
	if err != nil {
		return err
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure follows the connection, as the session's does
		Name: auth.DeviceCookieName(isSecure(c)), Value: token, Path: "/",
		MaxAge: int(auth.DeviceTTL / time.Second), HttpOnly: true, Secure: isSecure(c),
		SameSite: http.SameSiteLaxMode})
	return nil
}

// dropNarrower deletes session cookies of this host alone beside one that a domain shares: with two
// of a name no login would count.
func (s *Server) dropNarrower(c echo.Context) {
	if s.site.domain == "" || len(c.Request().CookiesNamed(s.cookieName(c))) < 2 {
		return
	}
	for _, domain := range []string{"", s.site.public.Hostname()} {
		if domain != s.site.domain {
			c.SetCookie(s.sessionCookie(c, "", -1, domain))
		}
	}
}

// revokeCookie ends the token in the session cookie, if there is a good one. A token of which it
// cannot be said whether it is good is an error: nobody may think it has ended.
func (s *Server) revokeCookie(c echo.Context, reason string) error {
	for _, cookie := range c.Request().CookiesNamed(s.cookieName(c)) { // of one domain each
		identity, err := s.authority.Verify(cookie.Value)
		if errors.Is(err, wire.ErrTokenInvalid) || errors.Is(err, wire.ErrTokenExpired) {
			continue
		}
		if err == nil {
			auth.SetIdentity(c, identity)
			err = s.revoke(c, identity.TokenID, reason)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) setCookie(c echo.Context, issued auth.Issued) {
	left := time.Until(time.Unix(issued.Identity.ExpiresAt, 0))
	s.writeCookie(c, issued.Token, max(1, int(left/time.Second)))
}

// writeCookie sets the session cookie for so many seconds; a negative number deletes it.
func (s *Server) writeCookie(c echo.Context, value string, seconds int) {
	c.SetCookie(s.sessionCookie(c, value, seconds, s.site.domain))
}

func (s *Server) sessionCookie(
	c echo.Context, value string, seconds int, domain string,
) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure follows the connection: plain http has no other
		Name: s.cookieName(c), Value: value, Path: "/", Domain: domain, MaxAge: seconds,
		HttpOnly: true, Secure: isSecure(c), SameSite: http.SameSiteLaxMode}
}

// logout is POST /logout: the session's token ends, the cookie goes.
func (s *Server) logout(c echo.Context) error {
	if err := s.revokeCookie(c, "logged out"); err != nil {
		return err
	}
	return s.signedOut(c)
}

func (s *Server) signedOut(c echo.Context) error {
	s.writeCookie(c, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?signed-out")
}
