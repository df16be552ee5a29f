package handlers

import (
	"crypto/sha256"
	"encoding/hex"
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

// site is where browsers reach this server, and where a login may lead them back to.
type site struct {
	public      *url.URL // scheme and host; nil: wherever a request came to
	domain      string   // of the session cookie; "": this host alone
	returnHosts []string // host, or host:port
}

// defaultNext is where a login leads without a wish of its own.
const defaultNext = "/account"

// maxNext bounds an address to go back to, in bytes, as it came and as it is escaped.
const maxNext = 2048

// next returns where to go after a login: a path on this host, with its query, or an address on a
// host that it may lead back to, or defaultNext.
func (s site) next(wish string) string {
	if out, ok := ownPath(wish); ok {
		return out
	}
	if out, ok := s.address(wish); ok {
		return out
	}
	return defaultNext
}

// ownPath accepts a path on this host, with its query.
func ownPath(wish string) (string, bool) {
	if !strings.HasPrefix(wish, "/") || strings.HasPrefix(wish, "//") || !isPlain(wish) {
		return "", false
	}
	u, err := url.Parse(wish)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return "", false
	}
	// What is decoded may be spelt anew: "/%2Fhost" must not become "//host".
	out := u.RequestURI()
	return out, !strings.HasPrefix(u.Path, "//") && !strings.HasPrefix(out, "//") &&
		len(out) <= maxNext
}

// isPlain refuses what browsers read in ways of their own: controls and backslashes.
func isPlain(wish string) bool {
	return len(wish) <= maxNext && !strings.ContainsFunc(wish, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	})
}

// returnHost is a host in the one spelling that is taken: lower case, no dot at its end.
var returnHost = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?(:[0-9]{1,5})?$`)

// address accepts an absolute address on a host that a login may lead back to, in one spelling.
// Where this server is reached by https, http becomes https: no cookie of ours would go along.
func (s site) address(wish string) (string, bool) {
	if s.public == nil || !isPlain(wish) || strings.Contains(wish, " ") {
		return "", false
	}
	u, err := url.Parse(wish)
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

// asciiOnly escapes the bytes of a query that are none of ASCII's, as browsers do.
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

// mayReturn says whether a login may lead to a host: this one, one that shares its cookie, or one
// that the operator listed.
func (s site) mayReturn(host string) bool {
	return host == s.public.Host || s.inDomain(hostname(host)) ||
		slices.Contains(s.returnHosts, host)
}

func (s site) inDomain(name string) bool {
	return s.domain != "" && (name == s.domain || strings.HasSuffix(name, "."+s.domain))
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// getsCookie says whether a browser sends the session cookie along to where next leads. Cookies
// know no ports.
func (s site) getsCookie(next string) bool {
	u, err := url.Parse(next)
	if err != nil || u.Host == "" {
		return err == nil
	}
	return s.inDomain(u.Hostname()) || s.domain == "" && u.Hostname() == s.public.Hostname()
}

// origin is the scheme and host of an address, "" for a path.
func origin(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// redirectAfterLogin leads a browser that has signed in by a form to where it wanted. To another site it goes by
// a page in between: a redirect would be held to this page's policy on where its forms lead, and so
// would every redirect of the other site's after it.
func redirectAfterLogin(c echo.Context, next string) error {
	to := origin(next)
	if to == "" {
		return c.Redirect(http.StatusSeeOther, next)
	}
	c.Response().Header().Set("Refresh", "0;url="+next)
	return render(c, http.StatusOK, templates.Continue{Next: next, Site: to})
}

// redirectToLogin answers a person whom verify refuses, when the proxy asks for it by ?login=redirect,
// with the way to the login page and back. Caddy, Traefik and their like hand a redirect on; nginx
// turns every status but 401 and 403 into a fault, and gets the same Location with a 401.
func (s *Server) redirectToLogin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || s.toResponse(err).status != http.StatusUnauthorized ||
			!isNavigation(c.Request()) || c.QueryParam("login") != "redirect" {
			return err
		}
		back, nginx, ok := s.originalURL(c.Request())
		if !ok {
			return err
		}
		c.Response().Header().Set("Location",
			s.site.public.String()+"/login?next="+url.QueryEscape(back))
		if !nginx {
			return loggedOnly(c.NoContent(http.StatusSeeOther), err)
		}
		return err
	}
}

// loggedOnly is the error of an answer that is written already, for the log alone.
func loggedOnly(writing, why error) error {
	if writing != nil {
		return writing
	}
	return why
}

// isNavigation says whether a person goes to an address with a browser that has no credentials
// for it: one that has typed some into the browser's own dialog would come back with them for ever.
func isNavigation(r *http.Request) bool {
	if len(r.Header["Authorization"]) != 0 || r.Header.Get("X-Requested-With") != "" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// loopCookie remembers for a moment where a login that was there already led.
const loopCookie = "latchkey-back"

// isRedirectLoop says whether a browser that is signed in comes for the second time within seconds to be
// led to an address: what stands there does not see the session that is seen here, perhaps for an
// older cookie beside it, and would send the browser back for ever.
func (s *Server) isRedirectLoop(c echo.Context, next string) bool {
	if origin(next) == "" {
		return false
	}
	sum := sha256.Sum256([]byte(next))
	mark := hex.EncodeToString(sum[:8])
	if seen, err := c.Cookie(loopCookie); err == nil && seen.Value == mark {
		return true
	}
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure follows the connection
		Name: loopCookie, Value: mark, Path: "/login", MaxAge: 10,
		HttpOnly: true, Secure: isSecure(c), SameSite: http.SameSiteLaxMode})
	return false
}
