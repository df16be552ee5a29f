package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// errRegistrationClosed rejects a registration if the operator has closed them.
var errRegistrationClosed = errors.New("registration is closed")

// msgPending answers a registration that waits for approval, and logins until then.
const msgPending = "the account waits for approval"

// errStopping fails the readiness check while the server drains.
var errStopping = fmt.Errorf("%w: the server is stopping", models.ErrUnavailable)

// errorMapping is one row of the error table.
type errorMapping struct {
	err    error
	status int
	code   int
	msg    string // in JSON
	page   string // on the error page
}

// errorMappings returns the error table: the only place that maps errors to responses. The first
// match counts. An error without a row is an internal error, 500/999.
func errorMappings() []errorMapping {
	const (
		unauthorized    = http.StatusUnauthorized
		forbidden       = http.StatusForbidden
		notFound        = http.StatusNotFound
		unavailable     = http.StatusServiceUnavailable
		busy            = "busy, please try again"
		pageSignIn      = "Sign in to continue."
		pageNotFound    = "This does not exist, or no longer exists."
		pageBusy        = "The server is busy. Try again in a moment."
		pageUnavailable = "The server is temporarily unavailable. Try again in a moment."
	)
	temporary := wire.ErrUnavailable.Error()
	return []errorMapping{
		{wire.ErrTokenExpired, unauthorized, wire.CodeToken, "token is expired", pageSignIn},
		{wire.ErrTokenInvalid, unauthorized, wire.CodeToken, "token is invalid", pageSignIn},
		{wire.ErrScope, forbidden, wire.CodeScope, "forbidden, not in scope",
			"Your account has no access to this page."},
		{auth.ErrLoginTokenRequired, forbidden, wire.CodeScope, "this requires a login token",
			"This session cannot change anything. Sign out, then sign in with your password."},
		{models.ErrLastAdministrator, http.StatusConflict, wire.CodeLastAdmin,
			"this is the last active administrator", "This is the last active administrator."},
		{errRegistrationClosed, forbidden, wire.CodeScope, "registration is closed",
			"Registration is closed. Ask your administrator for an account."},
		{auth.ErrUnknownAccount, notFound, wire.CodeNotFound, "user not found", pageNotFound},
		{models.ErrNotFound, notFound, wire.CodeNotFound, "the resource is not found", pageNotFound},
		{auth.ErrPending, unauthorized, wire.CodePassword, msgPending, pageSignIn},
		{auth.ErrWrongPassword, unauthorized, wire.CodePassword, "authorization failed", pageSignIn},
		{auth.ErrTooManyAttempts, http.StatusTooManyRequests, wire.CodeTooMany,
			"too many failed attempts, please wait",
			"Too many failed attempts. Wait a moment, then try again."},
		{auth.ErrTooManyRegistrations, http.StatusTooManyRequests, wire.CodeTooMany,
			"too many registrations, please wait",
			"Too many registrations from your network. Wait a moment, then try again."},
		{auth.ErrClientType, http.StatusBadRequest, wire.CodeClientType, "client is invalid",
			"This kind of account is not available here."},
		{auth.ErrBusy, unavailable, wire.CodeBusy, busy, pageBusy},
		{models.ErrSerialsExhausted, unavailable, wire.CodeBusy, busy, pageBusy},
		{models.ErrChanged, unavailable, wire.CodeBusy, busy, pageBusy},
		{auth.ErrStale, unavailable, wire.CodeBusy, temporary, pageUnavailable},
		{models.ErrUnavailable, unavailable, wire.CodeBusy, temporary, pageUnavailable},
		{models.ErrClock, unavailable, wire.CodeBusy, temporary, pageUnavailable},
		{context.Canceled, unavailable, wire.CodeBusy, "the client closed the connection",
			pageUnavailable},
	}
}

// response is the response to an error or to a success without data.
type response struct {
	wire.Response
	status int
	page   string // the message on the error page; "": the text in Msg
}

func newResponse(status, code int, msg any) response {
	return response{Response: wire.Response{ErrorCode: code, Msg: msg}, status: status}
}

// toResponse returns the response to any error.
func (s *Server) toResponse(err error) response {
	if s.config.HideAccounts && errors.Is(err, auth.ErrUnknownAccount) {
		err = auth.ErrWrongPassword
	}
	var invalid models.ValidationError
	if errors.As(err, &invalid) {
		return newResponse(http.StatusBadRequest, wire.CodeValidation, invalid)
	}
	for _, m := range s.errorMappings {
		if errors.Is(err, m.err) {
			r := newResponse(m.status, m.code, m.msg)
			r.page = m.page
			return r
		}
	}
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return httpResponse(known)
	}
	r := newResponse(http.StatusInternalServerError, wire.CodeFault, "sorry, we made a mistake")
	r.page = "Something went wrong on our side. Try again later."
	return r
}

// httpResponse returns the response to an error of HTTP itself, such as an unknown path or an
// unsupported method.
func httpResponse(err *echo.HTTPError) response {
	var inner *echo.HTTPError
	if errors.As(err.Internal, &inner) {
		err = inner
	}
	sentences := map[int]string{
		http.StatusNotFound:              "This address does not exist. Check its spelling.",
		http.StatusMethodNotAllowed:      "This address does not support this method.",
		http.StatusRequestEntityTooLarge: "The body is larger than 16 KiB.",
	}
	msg, ok := sentences[err.Code]
	if !ok {
		msg, ok = err.Message.(string)
	}
	if !ok {
		msg = http.StatusText(err.Code)
	}
	return newResponse(err.Code, wire.CodeHTTP, msg)
}

// handleError is Echo's error handler. It sends the response to an error, as JSON or as a page.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	r := s.toResponse(err)
	h := c.Response().Header()
	setRateLimitHeaders(h, err, r.status)
	page := wantsPage(c.Request())
	if r.status == http.StatusUnauthorized && !page && !wire.IsScripted(c.Request()) &&
		h.Get("Location") == "" {
		h.Set("WWW-Authenticate", wire.Challenge)
	}
	if page {
		err = s.problemPage(c, r)
	} else {
		err = send(c, r)
	}
	if err != nil {
		s.config.Logger.Debug("cannot send the response", "error", err)
	}
}

// send sends a response as JSON.
func send(c echo.Context, r response) error {
	r.Request = c.Request().Method + " " + c.Request().URL.Path
	return c.JSON(r.status, r.Response)
}

// wantsPage reports whether an error is shown as a page: to browsers, outside the API.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}
