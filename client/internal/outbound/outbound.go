// Package outbound holds what the client packages share for requests to servers that they need not
// trust: an HTTP client, and failures in plain words.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"latchkey/client/wire"
)

// NewClient returns a client that gives up after timeout and does not follow redirects: they would
// carry credentials to an address that nobody named.
func NewClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// unreachableError says why a server cannot be reached. Unwrap gives the error of net/http.
type unreachableError struct {
	address string
	cause   error
}

// Unwrap returns the cause.
func (e unreachableError) Unwrap() error { return e.cause }

// Error says which server cannot be reached and why, and what to check.
func (e unreachableError) Error() string {
	return fmt.Sprintf("cannot reach %s (%s): check the address and that the server is running",
		wire.Printable(e.address), reason(e.cause))
}

// Unreachable describes an error of http.Client.Do to a person, with what to check. It wraps err.
func Unreachable(address string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted: %w", context.Canceled)
	}
	return unreachableError{address, err}
}

// reason says in a few words why a request failed.
func reason(err error) string {
	var timeout net.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no response in time"
	case errors.As(err, &name):
		return "its name cannot be resolved"
	case errors.As(err, &certificate):
		return "its certificate is not trusted: " +
			wire.Printable(strings.TrimPrefix(certificate.Err.Error(), "x509: "))
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks http, not https"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	return wire.Printable(err.Error())
}
