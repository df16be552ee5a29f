package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Limits of a connection.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10    // bytes
	quietTimeout  = time.Second // how long a stop waits for connections that ask nothing
	drainTimeout  = 10 * time.Second
)

// Serve answers on a listener until ctx is done, then finishes what is under way and returns.
//
// A stop loses no request: the listener closes, what still comes on the connections that are there
// is answered with "Connection: close", and only connections on which nothing comes are closed. A
// plain Shutdown would close them while a request is on its way (golang/go#23829).
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	open := &connections{silent: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         open.note,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	err := listener.Close()
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

// closing tells the client to close its connection after this answer, if the server stops by then.
func (s *Server) closing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			if s.stopping.Load() {
				c.Response().Header().Set("Connection", "close")
			}
		})
		return next(c)
	}
}

// connections knows a server's open connections. It is safe for concurrent use.
type connections struct {
	mu     sync.Mutex
	open   int
	silent map[net.Conn]struct{} // on which nothing has come yet
}

func (n *connections) note(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch state {
	case http.StateNew:
		n.open++
		n.silent[c] = struct{}{}
	case http.StateActive:
		delete(n.silent, c)
	case http.StateClosed, http.StateHijacked:
		n.open--
		delete(n.silent, c)
	}
}

func (n *connections) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open
}

// wait returns when no connection is open, or after so long; then it closes those on which nothing
// ever came, with which Shutdown would be patient for five seconds.
func (n *connections) wait(most time.Duration) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(most); n.count() > 0 && time.Now().Before(until); {
		<-tick.C
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.silent {
		_ = c.Close() // it is to go
	}
}
