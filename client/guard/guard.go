// Package guard lets any Go service ask for Latchkey's tokens. It is middleware for net/http,
// and by echo.WrapMiddleware for Echo, over a Verifier: Remote asks a Latchkey server over HTTP;
// package auth has one that verifies in this process, on the server's own data directory.
//
//	verifier, err := guard.NewRemote("http://127.0.0.1:8080", guard.Options{})
//	...
//	mux.Handle("/reports/", guard.Require(verifier, "read")(reports))
//
// Whoever is let through is found by guard.From(r.Context()). Whoever is not gets Latchkey's own
// answers: 401 with a challenge, 403 for a token whose scope is not enough, and 503 when it cannot
// be said. A fault never lets anyone in.
package guard

import (
	"context"
	"encoding/json"
	"errors"
	"latchkey/client/wire"
	"net/http"
)

// Verifier says who a request's token speaks for, if its scope includes the one named; "" asks
// for none. Errors: ErrTokenInvalid, ErrTokenExpired, ErrScope, ErrUnavailable, or a fault. It must be safe
// for concurrent use.
type Verifier interface {
	Verify(r *http.Request, scope string) (wire.Identity, error)
}

type contextKey struct{}

// IdentityFrom returns who the request of a context was let through for; ok is false outside Require.
func IdentityFrom(ctx context.Context) (i wire.Identity, ok bool) {
	i, ok = ctx.Value(contextKey{}).(wire.Identity)
	return i, ok
}

// Require is middleware that lets a request through only with a valid token whose scope includes
// the one named.
func Require(v Verifier, scope string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			identity, err := v.Verify(r, scope)
			if err != nil {
				reject(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, identity)))
		})
	}
}

// reject responds to a request that is not let through, in the form of Latchkey's own API.
func reject(w http.ResponseWriter, r *http.Request, err error) {
	status, code, reason := http.StatusServiceUnavailable, wire.CodeBusy, wire.ErrUnavailable
	switch {
	case errors.Is(err, wire.ErrTokenInvalid):
		status, code, reason = http.StatusUnauthorized, wire.CodeToken, wire.ErrTokenInvalid
	case errors.Is(err, wire.ErrTokenExpired):
		status, code, reason = http.StatusUnauthorized, wire.CodeToken, wire.ErrTokenExpired
	case errors.Is(err, wire.ErrScope):
		status, code, reason = http.StatusForbidden, wire.CodeScope, wire.ErrScope
	}
	h := w.Header()
	switch {
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case status == http.StatusUnauthorized && !wire.IsScripted(r):
		h.Set("WWW-Authenticate", wire.Challenge)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Response{ErrorCode: code, Msg: reason.Error(),
		Request: r.Method + " " + r.URL.Path}) // a client that went away needs no response
}
