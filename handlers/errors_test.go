package handlers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

func TestToResponse(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("context: %w", err) }
	s := &Server{errorMappings: errorMappings()}
	hiding := &Server{errorMappings: errorMappings(), config: Config{HideAccounts: true}}
	tests := []struct {
		s            *Server
		err          error
		status, code int
	}{
		{s, wrapped(wire.ErrTokenExpired), 401, wire.CodeToken},
		{s, wrapped(auth.ErrUnknownAccount), 404, wire.CodeNotFound},
		{hiding, wrapped(auth.ErrUnknownAccount), 401, wire.CodePassword},
		{s, wrapped(models.ErrUnavailable), 503, wire.CodeBusy},
		{s, wrapped(models.ValidationError{"x": {"y"}}), 400, wire.CodeValidation},
		{s, wrapped(echo.ErrMethodNotAllowed), 405, wire.CodeHTTP},
		{s, errors.New("disk on fire at 10.0.0.1"), 500, wire.CodeFault},
	}
	for _, test := range tests {
		got := test.s.toResponse(test.err)
		if got.status != test.status || got.ErrorCode != test.code {
			t.Errorf("%v: %d/%d, want %d/%d", test.err, got.status, got.ErrorCode, test.status, test.code)
		}
		if strings.Contains(fmt.Sprint(got.Msg), "10.0.0.1") {
			t.Errorf("the response contains the text of an internal error: %v", got.Msg)
		}
	}
}
