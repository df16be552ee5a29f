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

// session returns the identity and the token of the session cookie. Pages ignore the Authorization
// header, because browsers keep sending credentials that were once typed into their login dialog.
// Errors: wire.ErrTokenInvalid, wire.ErrTokenExpired, wire.ErrScope for a token below UserScope,
// and auth.ErrStale.
func (s *Server) session(c echo.Context) (identity auth.Identity, token string, err error) {
	cookies := &http.Request{Header: http.Header{"Cookie": c.Request().Header["Cookie"]}}
	token, err = auth.TokenFrom(cookies, s.cookieName(c))
	if err != nil {
		return auth.Identity{}, "", err
	}
	identity, err = s.authority.Verify(token)
	if err != nil {
		return auth.Identity{}, "", err
	}
	auth.SetIdentity(c, identity) // for caller and for the access log
	if !identity.Scope.Includes(models.UserScope) {
		return auth.Identity{}, "", wire.ErrScope
	}
	return identity, token, nil
}

func (s *Server) cookieName(c echo.Context) string { return s.authority.CookieName(isSecure(c)) }

// startSession sets the session cookie, which lives as long as its token. It revokes the token of
// the browser's previous session.
func (s *Server) startSession(c echo.Context, issued auth.Issued) error {
	if err := s.revokeCookie(c, "another login in the same browser"); err != nil {
		return err
	}
	s.deleteHostCookies(c)
	auth.SetIdentity(c, issued.Identity)
	s.setCookie(c, issued)
	return s.setDeviceCookie(c, issued.Identity.UID)
}

// setDeviceCookie sets the cookie of a known browser, which has a login limit of its own:
// strangers cannot exhaust it.
func (s *Server) setDeviceCookie(c echo.Context, uid uint32) error {
	token, err := s.authority.DeviceToken(uid)
	if err != nil {
		return err
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure follows the scheme
		Name: auth.DeviceCookieName(isSecure(c)), Value: token, Path: "/",
		MaxAge: int(auth.DeviceTTL / time.Second), HttpOnly: true, Secure: isSecure(c),
		SameSite: http.SameSiteLaxMode})
	return nil
}

// deleteHostCookies deletes session cookies of this host if the hosts of a domain share one. With
// two cookies of the same name no login would work.
func (s *Server) deleteHostCookies(c echo.Context) {
	if s.site.domain == "" || len(c.Request().CookiesNamed(s.cookieName(c))) < 2 {
		return
	}
	for _, domain := range []string{"", s.site.public.Hostname()} {
		if domain != s.site.domain {
			c.SetCookie(s.sessionCookie(c, "", -1, domain))
		}
	}
}

// logout is POST /logout. It revokes the session's token and deletes the cookie.
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

// revokeCookie revokes the valid tokens in session cookies. If the server cannot tell whether a
// token is valid, that is an error: the user must not think that it is revoked.
func (s *Server) revokeCookie(c echo.Context, reason string) error {
	for _, cookie := range c.Request().CookiesNamed(s.cookieName(c)) { // one for each domain
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

// writeCookie sets the session cookie for a number of seconds; a negative number deletes it.
func (s *Server) writeCookie(c echo.Context, value string, seconds int) {
	c.SetCookie(s.sessionCookie(c, value, seconds, s.site.domain))
}

func (s *Server) sessionCookie(
	c echo.Context, value string, seconds int, domain string,
) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure follows the scheme: plain http has no other cookie
		Name: s.cookieName(c), Value: value, Path: "/", Domain: domain, MaxAge: seconds,
		HttpOnly: true, Secure: isSecure(c), SameSite: http.SameSiteLaxMode}
}
