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

// response is the body of every error and every plain success, and its status.
type response struct {
	wire.Response
	status int
}

func newResponse(status, code int, msg any) response {
	return response{wire.Response{ErrorCode: code, Msg: msg}, status}
}

// errRegistrationClosed refuses a registration where the operator closed it.
var errRegistrationClosed = errors.New("registration is closed")

// errStopping answers readiness while the server drains.
var errStopping = fmt.Errorf("%w: the server is stopping", models.ErrUnavailable)

// errorMapping is one row of the error table.
type errorMapping struct {
	err    error
	status int
	code   int
	msg    string
}

// errorMappings is the one place where errors become answers, the first that matches. What is not here
// is a fault of ours: 500/999.
func errorMappings() []errorMapping {
	return []errorMapping{
		{wire.ErrTokenExpired, http.StatusUnauthorized, wire.CodeToken, "token is expired"},
		{wire.ErrTokenInvalid, http.StatusUnauthorized, wire.CodeToken, "token is invalid"},
		{wire.ErrScope, http.StatusForbidden, wire.CodeScope, "forbidden, not in scope"},
		{auth.ErrLoginTokenRequired, http.StatusForbidden, wire.CodeScope, "only a login token can create tokens"},
		{models.ErrLastAdministrator, http.StatusConflict, wire.CodeLastAdmin,
			"this is the last active administrator"},
		{errRegistrationClosed, http.StatusForbidden, wire.CodeScope, "registration is closed"},
		{auth.ErrUnknownAccount, http.StatusNotFound, wire.CodeNotFound, "user not found"},
		{models.ErrNotFound, http.StatusNotFound, wire.CodeNotFound, "the resource is not found"},
		{auth.ErrWrongPassword, http.StatusUnauthorized, wire.CodePassword, "authorization failed"},
		{auth.ErrTooManyAttempts, http.StatusTooManyRequests, wire.CodeTooMany,
			"too many failed attempts, please wait"},
		{auth.ErrClientType, http.StatusBadRequest, wire.CodeClientType, "client is invalid"},
		{auth.ErrBusy, http.StatusServiceUnavailable, wire.CodeBusy, "busy, please try again"},
		{models.ErrSerialsExhausted, http.StatusServiceUnavailable, wire.CodeBusy, "busy, please try again"},
		{auth.ErrStale, http.StatusServiceUnavailable, wire.CodeBusy, "not available at the moment"},
		{models.ErrUnavailable, http.StatusServiceUnavailable, wire.CodeBusy,
			"not available at the moment"},
		{models.ErrChanged, http.StatusServiceUnavailable, wire.CodeBusy, "busy, please try again"},
		{context.Canceled, http.StatusServiceUnavailable, wire.CodeBusy, "the client went away"},
		{models.ErrClock, http.StatusServiceUnavailable, wire.CodeBusy, "not available at the moment"},
	}
}

// toResponse turns any error into the answer that a client gets for it.
func (s *Server) toResponse(err error) response {
	if s.config.HideAccounts && errors.Is(err, auth.ErrUnknownAccount) {
		err = auth.ErrWrongPassword
	}
	var invalid models.ValidationError
	if errors.As(err, &invalid) {
		return newResponse(http.StatusBadRequest, wire.CodeValidation, invalid)
	}
	for _, r := range s.errorMappings {
		if errors.Is(err, r.err) {
			return newResponse(r.status, r.code, r.msg)
		}
	}
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return httpResponse(known)
	}
	return newResponse(http.StatusInternalServerError, wire.CodeFault, "sorry, we made a mistake")
}

// httpResponse answers for HTTP itself: routes, methods, sizes, media types.
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

// handleError is Echo's error handler: it writes the answer to an error, as JSON or as a page.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	a := s.toResponse(err)
	h := c.Response().Header()
	setRateLimitHeaders(h, err, a.status)
	page := wantsPage(c.Request())
	if a.status == http.StatusUnauthorized && !page && !wire.IsScripted(c.Request()) &&
		h.Get("Location") == "" {
		h.Set("WWW-Authenticate", wire.Challenge)
	}
	if page {
		err = s.problemPage(c, a)
	} else {
		err = send(c, a)
	}
	if err != nil {
		s.config.Logger.Debug("answer not sent", "error", err)
	}
}

// send writes an answer as JSON.
func send(c echo.Context, a response) error {
	a.Request = c.Request().Method + " " + c.Request().URL.Path
	return c.JSON(a.status, a.Response)
}

// wantsPage says whether an error is shown as a page: to a browser, outside the API.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}
