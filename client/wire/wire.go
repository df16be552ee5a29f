// Package wire defines what Latchkey's servers and clients must agree on: the form of a token, the
// names of cookies and headers, the error codes and the challenge. docs/reference/api.md explains
// them. It also makes text from the other side safe to print. The package imports nothing of
// Latchkey.
package wire

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// TokenLength is the number of characters of a token.
const TokenLength = 56

// IsToken reports whether text has the form of a token: TokenLength characters of [A-Za-z0-9_-].
func IsToken(text string) bool { return len(text) == TokenLength && HasTokenAlphabet(text) }

// HasTokenAlphabet reports whether text consists of [A-Za-z0-9_-] (RFC 4648 section 5).
func HasTokenAlphabet(text string) bool {
	for i := range len(text) {
		b := text[i]
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' && b != '_' {
			return false
		}
	}
	return true
}

// VerifyPath is the endpoint at which proxies and services have a request verified.
const VerifyPath = "/v1/verify"

// What a service may require of a token in place of a scope's name.
const (
	UserScope = "UserScope" // the default: the scope of a login
	AnyScope  = "any"       // only a valid token, of whatever scope
)

// Challenge is the WWW-Authenticate header of a 401 (RFC 7617, RFC 9110 section 11.6.1). The realm
// stands first and never changes, because clients look up credentials by it.
const Challenge = `Basic realm="latchkey", charset="UTF-8"`

// The error codes of the contract, in the member "error_code". docs/reference/error-codes.md says
// what each means to a client.
const (
	CodeOK         = 0    // success
	CodeDeleted    = 1    // success: something was deleted
	CodeFault      = 999  // a fault of the server
	CodeValidation = 1000 // the request's fields are not valid
	CodeNotFound   = 1001 // the account or the resource does not exist
	CodeToken      = 1002 // the token is missing, invalid or expired
	CodeScope      = 1004 // the token's scope is too narrow
	CodePassword   = 1005 // the password is wrong
	CodeClientType = 1006 // the client type is not offered
	CodeHTTP       = 1007 // a rule of HTTP is broken; the status says which
	CodeTooMany    = 1101 // too many failed logins, or registrations
	CodeBusy       = 1102 // the server is busy or cannot reach its store
	CodeLastAdmin  = 1103 // the change would leave no administrator
)

// Response is the body of every error and of every success without data.
type Response struct {
	ErrorCode int    `json:"error_code"`
	Msg       any    `json:"msg"`     // text; for CodeValidation an object: field to messages
	Request   string `json:"request"` // method, one space, path without query
}

// The reasons to reject a request; their texts are the contract's. Compare them with errors.Is.
var (
	// ErrTokenInvalid rejects a malformed, forged or revoked token and a request without one.
	ErrTokenInvalid = errors.New("token is invalid")
	// ErrTokenExpired rejects a token past its lifetime.
	ErrTokenExpired = errors.New("token is expired")
	// ErrScope rejects a valid token whose scope is too narrow.
	ErrScope = errors.New("forbidden, not in scope")
	// ErrUnavailable means that the token cannot be verified at the moment.
	ErrUnavailable = errors.New("temporarily unavailable, please try again")
)

// Identity is the owner of a valid token, as VerifyPath returns it in X-Auth-* headers.
type Identity struct {
	UID     uint32 // number of the account; it never changes and is never reused
	Account string // e-mail address or mobile number
	Type    int    // client type: 100 for an e-mail address, 101 for a mobile number
	Scope   string // name, such as "UserScope"
	TokenID string // id of the token for logs; it is not secret
}

// The headers that carry an Identity.
const (
	headerUID     = "X-Auth-Uid"
	headerAccount = "X-Auth-Account"
	headerType    = "X-Auth-Type"
	headerScope   = "X-Auth-Scope"
	headerTokenID = "X-Auth-Token-Id" //nolint:gosec // a header's name, not a credential
)

// SetHeaders writes the identity to the X-Auth-* headers of a response.
func (i Identity) SetHeaders(h http.Header) {
	h.Set(headerUID, strconv.FormatUint(uint64(i.UID), 10))
	h.Set(headerAccount, i.Account)
	h.Set(headerType, strconv.Itoa(i.Type))
	h.Set(headerScope, i.Scope)
	h.Set(headerTokenID, i.TokenID)
}

// ParseIdentity reads the X-Auth-* headers of a response. Each must be present exactly once;
// otherwise the error is ErrUnavailable.
func ParseIdentity(h http.Header) (Identity, error) {
	var missing error
	single := func(name string) string {
		if values := h.Values(name); len(values) == 1 && values[0] != "" {
			return values[0]
		}
		missing = fmt.Errorf("the server must send the header %s exactly once", name)
		return ""
	}
	i := Identity{Account: single(headerAccount), Scope: single(headerScope),
		TokenID: single(headerTokenID)}
	uid, err1 := strconv.ParseUint(single(headerUID), 10, 32)
	kind, err2 := strconv.Atoi(single(headerType))
	if err := errors.Join(missing, err1, err2); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	i.UID, i.Type = uint32(uid), kind
	return i, nil
}

// CookieName returns the name of the session cookie. Over https the prefix binds it to secure
// connections and, unless the hosts of a domain share it, to one host (RFC 6265bis section 4.1.3).
// Each combination has its own name, so that a cookie of an earlier setting is ignored.
func CookieName(secure, shared bool) string {
	switch {
	case secure && shared:
		return "__Secure-latchkey"
	case secure:
		return "__Host-latchkey"
	case shared:
		return "latchkey-domain"
	}
	return "latchkey"
}

// CookieNames returns every name that CookieName can return.
func CookieNames() []string {
	return []string{CookieName(false, false), CookieName(false, true), CookieName(true, false),
		CookieName(true, true)}
}

// IsCookieName reports whether name is one of CookieNames.
func IsCookieName(name string) bool { return slices.Contains(CookieNames(), name) }

// IsScripted reports whether a page made the request, by a script or for a subresource. Such a
// request gets no challenge: it would open the browser's login dialog and block the script.
func IsScripted(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Header.Get("X-Requested-With") != "" || r.Header.Get("Sec-Fetch-Dest") == "empty" ||
		mode != "" && mode != "navigate"
}
