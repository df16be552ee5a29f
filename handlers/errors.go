package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/guard"
	"latchkey/models"
)

// The error codes of the contract; docs/api.md explains each.
const (
	codeOK         = 0
	codeDeleted    = 1
	codeFault      = 999
	codeValidation = 1000
	codeNotFound   = 1001
	codeToken      = 1002
	codeScope      = 1004
	codePassword   = 1005
	codeClientType = 1006
	codeHTTP       = 1007
	codeTooMany    = 1101
	codeBusy       = 1102
	codeLastAdmin  = 1103
)

// response is the body of every error and every plain success.
type response struct {
	ErrorCode int    `json:"error_code"`
	Msg       any    `json:"msg"`     // text; for validation an object: field to sentences
	Request   string `json:"request"` // method, one space, path without query

	status int
}

// errRegistrationClosed refuses a registration where the operator closed it.
var errRegistrationClosed = errors.New("registration is closed")

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
		{auth.ErrTokenExpired, http.StatusUnauthorized, codeToken, "token is expired"},
		{auth.ErrTokenInvalid, http.StatusUnauthorized, codeToken, "token is invalid"},
		{auth.ErrScope, http.StatusForbidden, codeScope, "forbidden, not in scope"},
		{auth.ErrLoginTokenRequired, http.StatusForbidden, codeScope, "only a token of a login may make tokens"},
		{models.ErrLastAdministrator, http.StatusConflict, codeLastAdmin,
			"this is the last active administrator"},
		{errRegistrationClosed, http.StatusForbidden, codeScope, "registration is closed"},
		{auth.ErrUnknownAccount, http.StatusNotFound, codeNotFound, "user not found"},
		{models.ErrNotFound, http.StatusNotFound, codeNotFound, "the resource is not found"},
		{auth.ErrWrongPassword, http.StatusUnauthorized, codePassword, "authorization failed"},
		{auth.ErrTooManyAttempts, http.StatusTooManyRequests, codeTooMany,
			"too many wrong tries, please wait"},
		{auth.ErrClientType, http.StatusBadRequest, codeClientType, "client is invalid"},
		{auth.ErrBusy, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{models.ErrSerialsExhausted, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{auth.ErrStale, http.StatusServiceUnavailable, codeBusy, "not available at the moment"},
		{models.ErrUnavailable, http.StatusServiceUnavailable, codeBusy,
			"not available at the moment"},
		{models.ErrChanged, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{context.Canceled, http.StatusServiceUnavailable, codeBusy, "the client went away"},
		{models.ErrClock, http.StatusServiceUnavailable, codeBusy, "not available at the moment"},
	}
}

// toResponse turns any error into the answer that a client gets for it.
func (s *Server) toResponse(err error) response {
	if s.config.HideAccounts && errors.Is(err, auth.ErrUnknownAccount) {
		err = auth.ErrWrongPassword
	}
	var invalid models.ValidationError
	if errors.As(err, &invalid) {
		return response{ErrorCode: codeValidation, Msg: invalid, status: http.StatusBadRequest}
	}
	for _, r := range s.errorMappings {
		if errors.Is(err, r.err) {
			return response{ErrorCode: r.code, Msg: r.msg, status: r.status}
		}
	}
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return httpResponse(known)
	}
	return response{ErrorCode: codeFault, Msg: "sorry, we made a mistake",
		status: http.StatusInternalServerError}
}

// httpResponse answers for HTTP itself: routes, methods, sizes, media types.
func httpResponse(err *echo.HTTPError) response {
	var inner *echo.HTTPError
	if errors.As(err.Internal, &inner) {
		err = inner
	}
	sentences := map[int]string{
		http.StatusNotFound:              "There is nothing at this address. Please check its spelling.",
		http.StatusMethodNotAllowed:      "This address does not take this method.",
		http.StatusRequestEntityTooLarge: "The body is larger than 16 KiB.",
	}
	msg, ok := sentences[err.Code]
	if !ok {
		msg, ok = err.Message.(string)
	}
	if !ok {
		msg = http.StatusText(err.Code)
	}
	return response{ErrorCode: codeHTTP, Msg: msg, status: err.Code}
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
	if a.status == http.StatusUnauthorized && !page && !guard.FromPage(c.Request()) &&
		h.Get("Location") == "" {
		h.Set("WWW-Authenticate", guard.Challenge)
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
	return c.JSON(a.status, a)
}

// wantsPage says whether an error is shown as a page: to a browser, outside the API.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}
