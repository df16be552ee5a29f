// Package handlers serves HTTP: the API under /v1, the pages, and health checks. One table maps
// routes (routes.go), another maps errors (errors.go). Decisions about tokens and accounts are
// made by auth; handlers reads from models what it only shows.
package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// Registration says who may create an account. Its zero value is like RegistrationClosed.
type Registration string

// The kinds of registration.
const (
	RegistrationOpen    Registration = "open"    // everyone
	RegistrationApprove Registration = "approve" // everyone, but an administrator approves the account
	RegistrationClosed  Registration = "closed"  // nobody
)

// open reports whether anyone may create an account.
func (r Registration) open() bool { return r == RegistrationOpen || r == RegistrationApprove }

// Config holds the parts and settings of a Server.
type Config struct {
	Store            *models.Store
	Authority        *auth.Authority
	Logger           *slog.Logger
	Registration     Registration
	HideAccounts     bool           // the API treats an unknown account like a wrong password
	MinPassword      int            // minimum characters of a new password, for the forms' hints
	PasswordStrength int            // minimum strength of a new password, for the forms' meter
	TrustedProxies   []netip.Prefix // whose forwarded addresses and schemes count
	PublicURL        *url.URL       // scheme and host at which browsers reach the server, or nil
	ReturnHosts      []string       // host[:port] that a login may redirect to, beside its domain
	MaxConnections   int            // open at the same time
	Bridge           *auth.Bridge   // lets verify accept an account and its password; nil: not
}

// Server serves HTTP requests. It is safe for concurrent use.
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

// New returns a Server.
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
		if r.path == wire.VerifyPath { // some proxies use their client's method
			e.Any(r.path, r.handler, r.guards...)
			e.RouteNotFound(r.path, r.handler, r.guards...)
		}
	}
	return s
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve serves requests on a listener until ctx is done. Then it finishes the requests that it has
// accepted and returns. Requests that arrive meanwhile on open connections get a response with
// "Connection: close".
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	open := newConnections(s.config.MaxConnections, s.config.TrustedProxies)
	server := &http.Server{
		Handler:        open.receiving(s),
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ConnState:      open.stateChanged,
		ConnContext:    withConnection,
		ErrorLog:       slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
	limited := open.limit(listener)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limited) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	err := limited.Close()
	if served := <-failed; !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	// Shutdown alone would close idle connections while a request is on its way (golang/go#23829).
	open.wait(quietTimeout)
	return errors.Join(err, drain(ctx, server))
}

// drain waits for the requests of a server, but not longer than drainTimeout. Then it closes their
// connections.
func drain(ctx context.Context, server *http.Server) error {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(patient)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
