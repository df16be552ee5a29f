// Package handlers is HTTP in and HTTP out: the API under /v1, the pages, health. Routes are in
// one table (routes.go) and so are errors (errors.go). It decides nothing about tokens or
// accounts: it asks auth, and models for what is shown.
package handlers

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"latchkey/auth"
	"latchkey/models"
)

// Config is what a Server is made of and how it behaves.
type Config struct {
	Store            *models.Store
	Authority        *auth.Authority
	Logger           *slog.Logger
	RegistrationOpen bool
	HideAccounts     bool // the API answers an unknown account like a wrong secret
	MinPassword      int  // least characters of a new secret, for the forms' hints
	PasswordStrength int  // least strength of a new secret, likewise
	TrustedProxies   []netip.Prefix
	PublicURL        *url.URL     // scheme and host by which browsers reach this server, or nil
	ReturnHosts      []string     // host[:port] a login may lead to, beside its domain
	MaxConnections   int          // open at once
	Bridge           *auth.Bridge // what lets verify take an account and its secret, or nil
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	config        Config
	store         *models.Store
	authority     *auth.Authority
	errorMappings []errorMapping
	origins       *http.CrossOriginProtection
	echo          *echo.Echo
	site          site
	stopping      atomic.Bool
	warnProxy     sync.Once
}

// New makes a Server.
func New(config Config) *Server {
	s := &Server{config: config, store: config.Store, authority: config.Authority,
		errorMappings: errorMappings(), origins: http.NewCrossOriginProtection(), echo: echo.New(),
		site: site{public: config.PublicURL, domain: config.Authority.CookieDomain(),
			returnHosts: config.ReturnHosts}}
	e := s.echo
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor, e.SchemeExtractor = extractors(config.TrustedProxies)
	if public := config.PublicURL; public != nil {
		e.SchemeExtractor = func(*http.Request) string { return public.Scheme }
	}
	e.Use(
		requestID,
		s.accessLog,
		s.recovered,
		s.closing,
		securityHeaders,
		exceptVerify(plainHost),
		exceptVerify(middleware.BodyLimit("16KiB")),
		exceptVerify(s.sameOrigin),
	)
	for _, r := range s.routes() {
		e.Add(r.method, r.path, r.handler, r.guards...)
		if r.method == http.MethodGet {
			e.Add(http.MethodHead, r.path, r.handler, r.guards...)
		}
		if r.path == verifyPath { // proxies ask with their client's method
			e.Any(r.path, r.handler, r.guards...)
			e.RouteNotFound(r.path, r.handler, r.guards...)
		}
	}
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// extractors decide whose address and which scheme a request has: those of the connection, unless
// it comes from a trusted proxy, which may tell otherwise.
func extractors(trusted []netip.Prefix) (echo.IPExtractor, echo.SchemeExtractor) {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect(), connectionScheme
	}
	options := []echo.TrustOption{
		echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range trusted {
		options = append(options, echo.TrustIPRange(ipNet(prefix)))
	}
	scheme := func(r *http.Request) string {
		told := r.Header.Values(echo.HeaderXForwardedProto)
		if len(told) == 1 && isTrusted(trusted, r.RemoteAddr) {
			if told := strings.ToLower(told[0]); told == "https" || told == "http" {
				return told
			}
		}
		return connectionScheme(r)
	}
	return echo.ExtractIPFromXFFHeader(options...), scheme
}

func connectionScheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func isTrusted(trusted []netip.Prefix, remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, prefix := range trusted {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// requestID gives every request an id: the client's if it is of a harmless form, else a random
// one.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	withID := middleware.RequestID()(next)
	return func(c echo.Context) error {
		h := c.Request().Header
		if id := h.Get(echo.HeaderXRequestID); id != "" && !isRequestID(id) {
			h.Del(echo.HeaderXRequestID)
		}
		return withID(c)
	}
}

// isRequestID accepts letters, digits and hyphens, fewer than a token has: nobody's token becomes
// an id.
func isRequestID(id string) bool {
	for _, b := range []byte(id) {
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && b != '-' {
			return false
		}
	}
	return len(id) < auth.TokenLength
}

// recovered turns a panic into an error: the client gets 500/999, the log gets where it happened,
// without the value that was panicked with.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if value := recover(); value != nil {
				s.config.Logger.Error("panic", "stack", string(debug.Stack()))
				err = fmt.Errorf("panic of type %T", value)
			}
		}()
		return next(c)
	}
}

// contentPolicy lets the pages use our own style sheet, script and images and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// securityHeaders are set on every answer; their values are made once and shared. The referrer
// policy is not "no-referrer": with that, browsers send "Origin: null" with our own forms.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	fixed := http.Header{
		"Content-Security-Policy":      {contentPolicy},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Cache-Control":                {"no-store"},
	}
	return func(c echo.Context) error {
		h := c.Response().Header()
		maps.Copy(h, fixed)
		if c.Scheme() == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		return next(c)
	}
}

// hostForm is a host name or address and perhaps a port.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// plainHost refuses a Host header that is none: links and ready-made lines are made of it.
func plainHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if host := c.Request().Host; host != "" && !hostForm.MatchString(host) {
			return echo.NewHTTPError(http.StatusBadRequest, "The Host header is malformed.")
		}
		return next(c)
	}
}

// sameOrigin refuses state-changing requests that a browser makes for another site's page.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.origins.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden,
				"A page of another site may not send this request.")
		}
		return next(c)
	}
}
