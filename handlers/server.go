// Package handlers is HTTP in and HTTP out: the API under /v1, the pages, health. Routes are in
// one table (routes.go) and so are errors (errors.go). It decides nothing about tokens or
// accounts: it asks auth, and models for what is shown.
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
		if r.path == wire.VerifyPath { // proxies ask with their client's method
			e.Any(r.path, r.handler, r.guards...)
			e.RouteNotFound(r.path, r.handler, r.guards...)
		}
	}
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers on a listener until ctx is done, then finishes what is under way and returns.
//
// A stop loses no request: the listener closes, what still comes on the connections that are there
// is answered with "Connection: close", and only connections on which nothing comes are closed. A
// plain Shutdown would close them while a request is on its way (golang/go#23829).
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	open := newConnections(s.config.MaxConnections)
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
	open.wait(quietTimeout)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	shut := server.Shutdown(drain)
	if errors.Is(shut, context.DeadlineExceeded) { // whoever is not done by now is cut off
		shut = server.Close()
	}
	return errors.Join(err, shut)
}
