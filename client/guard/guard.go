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
	"net/http"
)

// The answers that refuse a caller. They are compared with errors.Is.
var (
	// ErrTokenInvalid refuses what is no token, a token that was ended, and the absence of one.
	ErrTokenInvalid = errors.New("token is invalid")
	// ErrTokenExpired refuses a token past its time.
	ErrTokenExpired = errors.New("token is expired")
	// ErrScope refuses a valid token whose scope is not enough.
	ErrScope = errors.New("forbidden, not in scope")
	// ErrUnavailable says that nobody can say now whether a token is good.
	ErrUnavailable = errors.New("not available at the moment")
)

// Challenge is the one WWW-Authenticate header of a 401 (RFC 7617, RFC 9110 section 11.6.1). The
// realm is first and never changes: clients look credentials up by it.
const Challenge = `Basic realm="latchkey", charset="UTF-8"`

// Identity is who a valid token speaks for.
type Identity struct {
	UID     uint32 // the account's number, which never changes
	Account string // an e-mail address or a mobile number
	Type    int    // client type: 100 for an e-mail address, 101 for a mobile number
	Scope   string // name, such as "UserScope"
	TokenID string // names the token in logs; no secret
}

// Verifier says who a request's token speaks for, if its scope includes the one named; "" asks
// for none. Errors: ErrTokenInvalid, ErrTokenExpired, ErrScope, ErrUnavailable, or a fault. It must be safe
// for concurrent use.
type Verifier interface {
	Verify(r *http.Request, scope string) (Identity, error)
}

type contextKey struct{}

// IdentityFrom returns who the request of a context was let through for; ok is false outside Require.
func IdentityFrom(ctx context.Context) (i Identity, ok bool) {
	i, ok = ctx.Value(contextKey{}).(Identity)
	return i, ok
}

// Require is middleware that lets a request through only with a valid token whose scope includes
// the one named.
func Require(v Verifier, scope string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			identity, err := v.Verify(r, scope)
			if err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, identity)))
		})
	}
}

// refuse answers a request that is not let through, in the form of Latchkey's own API.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, code, msg := http.StatusServiceUnavailable, 1102, ErrUnavailable
	switch {
	case errors.Is(err, ErrTokenInvalid):
		status, code, msg = http.StatusUnauthorized, 1002, ErrTokenInvalid
	case errors.Is(err, ErrTokenExpired):
		status, code, msg = http.StatusUnauthorized, 1002, ErrTokenExpired
	case errors.Is(err, ErrScope):
		status, code, msg = http.StatusForbidden, 1004, ErrScope
	}
	h := w.Header()
	switch {
	case status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case status == http.StatusUnauthorized && !FromPage(r):
		h.Set("WWW-Authenticate", Challenge)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // whoever went away needs no answer
		ErrorCode int    `json:"error_code"`
		Msg       string `json:"msg"`
		Request   string `json:"request"`
	}{code, msg.Error(), r.Method + " " + r.URL.Path})
}

// FromPage says whether a page asks, its script or for an image of its own: a challenge would open
// the browser's dialog and leave a script waiting.
func FromPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Header.Get("X-Requested-With") != "" || r.Header.Get("Sec-Fetch-Dest") == "empty" ||
		mode != "" && mode != "navigate"
}
