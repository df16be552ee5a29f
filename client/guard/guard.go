// Package guard protects Go services with Latchkey tokens.
//
// [Require] is middleware for net/http. It lets a request through if its token is valid and has a
// sufficient scope, and hands the token's owner to the handler:
//
//	verifier, err := guard.NewRemote("https://login.example.com", guard.Options{})
//	if err != nil {
//		log.Fatal(err)
//	}
//	reports := func(w http.ResponseWriter, r *http.Request) {
//		identity, _ := guard.IdentityFrom(r.Context())
//		fmt.Fprintf(w, "Reports for %s\n", identity.Account)
//	}
//	http.Handle("/reports/", guard.Require(verifier, "read")(http.HandlerFunc(reports)))
//
// Clients may send the token as the password of HTTP Basic with any user name, as the user name, as
// a Bearer token, or in the cookie that Latchkey's login page sets. A service that relies on the
// cookie should also use [net/http.CrossOriginProtection], because browsers send cookies with
// requests from other sites.
//
// # Responses
//
// Require responds to all other requests itself, in the form of Latchkey's API:
//
//   - 401 if there is no token or it is invalid or expired, with a WWW-Authenticate header, except
//     for requests of a page's script, which browsers would interrupt with a dialog
//   - 403 if the scope of the token is too narrow
//   - 503 if the token cannot be verified now, with a Retry-After header
//
// No failure lets a request through.
//
// # Verifiers
//
// [Remote] asks a Latchkey server and works anywhere. It caches the identity of a valid token for a
// few seconds; until then, a revoked token still works. A service on the server's own machine can
// verify tokens in its own process with auth.Local instead. To log why tokens cannot be verified,
// wrap a [Verifier], as the example there shows.
package guard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"latchkey/client/wire"
)

// Verifier verifies the token of a request. Verify returns the token's owner if the token is valid
// and its scope includes scope; "" means UserScope, and AnyScope requires only a valid token.
// Errors: wire.ErrTokenInvalid, wire.ErrTokenExpired and wire.ErrScope reject the token; all others
// mean that it could not be verified. Verify must be safe for concurrent use.
type Verifier interface {
	Verify(r *http.Request, scope string) (wire.Identity, error)
}

// AnyScope stands in place of a scope and requires only a valid token.
const AnyScope = wire.AnyScope

type contextKey struct{}

// IdentityFrom returns the owner of the token with which Require let a request through. It takes
// the request's context. Outside of Require, ok is false.
func IdentityFrom(ctx context.Context) (identity wire.Identity, ok bool) {
	identity, ok = ctx.Value(contextKey{}).(wire.Identity)
	return identity, ok
}

// Require returns middleware that lets a request through only with a valid token whose scope
// includes scope, such as "read" or "AdminScope". "" means "UserScope", so that a token narrower
// than a login is accepted only where its scope is named; AnyScope accepts every valid token.
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

// rejection maps an error of a Verifier to the status, error code and message of a response.
func rejection(err error) (status, code int, reason error) {
	switch {
	case errors.Is(err, wire.ErrTokenInvalid):
		return http.StatusUnauthorized, wire.CodeToken, wire.ErrTokenInvalid
	case errors.Is(err, wire.ErrTokenExpired):
		return http.StatusUnauthorized, wire.CodeToken, wire.ErrTokenExpired
	case errors.Is(err, wire.ErrScope):
		return http.StatusForbidden, wire.CodeScope, wire.ErrScope
	}
	return http.StatusServiceUnavailable, wire.CodeBusy, wire.ErrUnavailable
}

func reject(w http.ResponseWriter, r *http.Request, err error) {
	status, code, reason := rejection(err)
	h := w.Header()
	switch {
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1") // seconds
	case status == http.StatusUnauthorized && !wire.IsScripted(r):
		h.Set("WWW-Authenticate", wire.Challenge)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Response{ErrorCode: code, Msg: reason.Error(),
		Request: r.Method + " " + r.URL.Path}) // a client that has gone needs no response
}
