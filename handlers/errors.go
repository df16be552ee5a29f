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
	codeInvalid    = 1000
	codeNotFound   = 1001
	codeToken      = 1002
	codeScope      = 1004
	codeSecret     = 1005
	codeClientType = 1006
	codeHTTP       = 1007
	codeTries      = 1101
	codeBusy       = 1102
	codeLastAdmin  = 1103
)

// answer is the body of every error and every plain success.
type answer struct {
	ErrorCode int    `json:"error_code"`
	Msg       any    `json:"msg"`     // text; for validation an object: field to sentences
	Request   string `json:"request"` // method, one space, path without query

	status int
}

// errClosed refuses a registration where the operator closed it.
var errClosed = errors.New("registration is closed")

// refusal is one row of the error table.
type refusal struct {
	err    error
	status int
	code   int
	msg    string
}

// refusals is the one place where errors become answers, the first that matches. What is not here
// is a fault of ours: 500/999.
func refusals() []refusal {
	return []refusal{
		{auth.ErrTokenExpired, http.StatusUnauthorized, codeToken, "token is expired"},
		{auth.ErrTokenInvalid, http.StatusUnauthorized, codeToken, "token is invalid"},
		{auth.ErrScope, http.StatusForbidden, codeScope, "forbidden, not in scope"},
		{auth.ErrKind, http.StatusForbidden, codeScope, "only a token of a login may make tokens"},
		{models.ErrLastAdministrator, http.StatusConflict, codeLastAdmin,
			"this is the last active administrator"},
		{errClosed, http.StatusForbidden, codeScope, "registration is closed"},
		{auth.ErrUnknownAccount, http.StatusNotFound, codeNotFound, "user not found"},
		{models.ErrNotFound, http.StatusNotFound, codeNotFound, "the resource is not found"},
		{auth.ErrWrongSecret, http.StatusUnauthorized, codeSecret, "authorization failed"},
		{auth.ErrTooMany, http.StatusTooManyRequests, codeTries,
			"too many wrong tries, please wait"},
		{auth.ErrClientType, http.StatusBadRequest, codeClientType, "client is invalid"},
		{auth.ErrBusy, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{models.ErrSerials, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{auth.ErrStale, http.StatusServiceUnavailable, codeBusy, "not available at the moment"},
		{models.ErrUnavailable, http.StatusServiceUnavailable, codeBusy,
			"not available at the moment"},
		{models.ErrChanged, http.StatusServiceUnavailable, codeBusy, "busy, please try again"},
		{context.Canceled, http.StatusServiceUnavailable, codeBusy, "the client went away"},
		{models.ErrClock, http.StatusServiceUnavailable, codeBusy, "not available at the moment"},
	}
}

// explain turns any error into the answer that a client gets for it.
func (s *Server) explain(err error) answer {
	if s.config.HideAccounts && errors.Is(err, auth.ErrUnknownAccount) {
		err = auth.ErrWrongSecret
	}
	var invalid models.Invalid
	if errors.As(err, &invalid) {
		return answer{ErrorCode: codeInvalid, Msg: invalid, status: http.StatusBadRequest}
	}
	for _, r := range s.refusals {
		if errors.Is(err, r.err) {
			return answer{ErrorCode: r.code, Msg: r.msg, status: r.status}
		}
	}
	var known *echo.HTTPError
	if errors.As(err, &known) {
		return explainHTTP(known)
	}
	return answer{ErrorCode: codeFault, Msg: "sorry, we made a mistake",
		status: http.StatusInternalServerError}
}

// explainHTTP answers for HTTP itself: routes, methods, sizes, media types.
func explainHTTP(err *echo.HTTPError) answer {
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
	return answer{ErrorCode: codeHTTP, Msg: msg, status: err.Code}
}

// handleError is Echo's error handler: it writes the answer to an error, as JSON or as a page.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	a := s.explain(err)
	h := c.Response().Header()
	tellLimits(h, err, a.status)
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
func send(c echo.Context, a answer) error {
	a.Request = c.Request().Method + " " + c.Request().URL.Path
	return c.JSON(a.status, a)
}

// wantsPage says whether an error is shown as a page: to a browser, outside the API.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/v1/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}
