package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of a connection.
const (
	readTimeout  = 5 * time.Second // for a whole request
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	maxHeader    = 16 << 10    // bytes
	quietTimeout = time.Second // how long a stop waits for connections that ask nothing
	drainTimeout = 10 * time.Second
)

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
