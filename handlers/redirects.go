package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/templates"
)

// site is where browsers reach this server, and where a login may redirect them.
type site struct {
	public      *url.URL // scheme and host; nil: those of the request
	domain      string   // of the session cookie; "": this host only
	returnHosts []string // host, or host:port
}

// defaultNext is where a login redirects by default.
const defaultNext = "/account"

// maxNext is the maximum length of a redirect target in bytes, as received and when escaped.
const maxNext = 2048

// next returns the redirect target after a login: a path on this host, an address on an allowed
// host, or defaultNext.
func (s site) next(target string) string {
	if out, ok := ownPath(target); ok {
		return out
	}
	if out, ok := s.address(target); ok {
		return out
	}
	return defaultNext
}

// ownPath accepts a path on this host, with its query.
func ownPath(target string) (string, bool) {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || !isPlain(target) {
		return "", false
	}
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return "", false
	}
	// RequestURI may escape differently: "/%2Fhost" must not become "//host".
	out := u.RequestURI()
	return out, !strings.HasPrefix(u.Path, "//") && !strings.HasPrefix(out, "//") &&
		len(out) <= maxNext
}

// isPlain rejects characters that browsers do not read as url.Parse does: controls and
// backslashes.
func isPlain(target string) bool {
	return len(target) <= maxNext && !strings.ContainsFunc(target, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	})
}

// returnHost is a host in the only accepted spelling: lower case, without a trailing dot.
var returnHost = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?(:[0-9]{1,5})?$`)

// address accepts an absolute address on an allowed host and normalises it. If this server's
// scheme is https, http becomes https, because browsers send the session cookie only there.
func (s site) address(target string) (string, bool) {
	if s.public == nil || !isPlain(target) || strings.Contains(target, " ") {
		return "", false
	}
	u, err := url.Parse(target)
	if err != nil || u.Opaque != "" || u.User != nil {
		return "", false
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" && s.public.Scheme == "https" && u.Port() == "" {
		u.Scheme = "https"
	}
	if u.Scheme != "https" && (u.Scheme != "http" || s.public.Scheme == "https") ||
		!returnHost.MatchString(host) || strings.Contains(host, "..") || !s.mayReturn(host) {
		return "", false
	}
	out := u.Scheme + "://" + host + asciiOnly(u.RequestURI())
	return out, len(out) <= maxNext
}

// asciiOnly escapes the non-ASCII bytes of a query, as browsers do.
func asciiOnly(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
			continue
		}
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// mayReturn reports whether a login may redirect to a host: this one, one that shares the session
// cookie, or one that the operator listed.
func (s site) mayReturn(host string) bool {
	return host == s.public.Host || s.inDomain(withoutPort(host)) ||
		slices.Contains(s.returnHosts, host)
}

func (s site) inDomain(name string) bool {
	return s.domain != "" && (name == s.domain || strings.HasSuffix(name, "."+s.domain))
}

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// getsCookie reports whether browsers send the session cookie to a redirect target. Cookies ignore
// ports.
func (s site) getsCookie(next string) bool {
	u, err := url.Parse(next)
	if err != nil || u.Host == "" {
		return err == nil
	}
	return s.inDomain(u.Hostname()) || s.domain == "" && u.Hostname() == s.public.Hostname()
}

// origin returns the scheme and host of an address, or "" for a path.
func origin(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// redirectAfterLogin redirects a browser after a form login. To another site it sends a page with
// a Refresh header instead: the form-action policy of this page would block a redirect there, and
// every further redirect of that site.
func redirectAfterLogin(c echo.Context, next string) error {
	to := origin(next)
	if to == "" {
		return c.Redirect(http.StatusSeeOther, next)
	}
	c.Response().Header().Set("Refresh", "0;url="+next)
	return render(c, http.StatusOK, templates.Continue{Next: next, Site: to})
}

// redirectToLogin sends people whom verify rejects to the login page, if the proxy asks for it
// with ?login=redirect. The response is a 303. nginx gets a 401 with the same Location, because it
// treats any other status than 401 and 403 as a failure.
func (s *Server) redirectToLogin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || s.toResponse(err).status != http.StatusUnauthorized ||
			!isNavigation(c.Request()) || c.QueryParam("login") != "redirect" {
			return err
		}
		target, nginx, ok := s.originalURL(c.Request())
		if !ok {
			return err
		}
		c.Response().Header().Set("Location",
			s.site.public.String()+"/login?next="+url.QueryEscape(target))
		if !nginx {
			return errors.Join(c.NoContent(http.StatusSeeOther), err) // for the access log
		}
		return err
	}
}

// isNavigation reports whether a person opens an address in a browser that sends no Authorization
// header. A browser that does would send it again after every login, without end.
func isNavigation(r *http.Request) bool {
	if len(r.Header["Authorization"]) != 0 || r.Header.Get("X-Requested-With") != "" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// loopCookie remembers the last redirect of a browser with a session, for ten seconds.
const loopCookie = "latchkey-back"

// isRedirectLoop reports whether a browser with a session requests the same redirect again within
// ten seconds. Then the target does not see the session, perhaps because the browser also has an
// older cookie, and would send the browser back without end.
func (s *Server) isRedirectLoop(c echo.Context, next string) bool {
	if origin(next) == "" {
		return false
	}
	sum := sha256.Sum256([]byte(next))
	mark := hex.EncodeToString(sum[:8])
	if seen, err := c.Cookie(loopCookie); err == nil && seen.Value == mark {
		return true
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure follows the scheme
		Name: loopCookie, Value: mark, Path: "/login", MaxAge: 10,
		HttpOnly: true, Secure: isSecure(c), SameSite: http.SameSiteLaxMode})
	return false
}
