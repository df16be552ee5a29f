package handlers

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// statusClientGone is logged, as nginx does, when the connection failed before the answer. What was
// answered is the status all the same: a client may have closed only its own half.
const statusClientGone = 499

// accessLog writes one line for each request: fields by list, no header, no query, no body. A
// token is named by its id. It hands errors to the error handler, so that the status is the one
// that was sent.
func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		ctx := c.Request().Context()
		status, level := c.Response().Status, slog.LevelInfo
		if errors.Is(ctx.Err(), context.Canceled) {
			status = statusClientGone
		}
		if status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		if !s.config.Logger.Enabled(ctx, level) {
			return nil
		}
		r := c.Request()
		attrs := append(make([]slog.Attr, 0, 12),
			slog.String("method", shorten(r.Method, 16)),
			slog.String("path", shorten(maskTokens(r.URL.Path), 300)),
			slog.Int("status", status),
			slog.Int64("bytes", c.Response().Size),
			slog.Int64("us", time.Since(started).Microseconds()),
			slog.String("address", c.RealIP()),
			slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)))
		if identity, ok := auth.IdentityFrom(c); ok {
			attrs = append(attrs, who(identity))
		}
		if err != nil {
			attrs = append(attrs, slog.String("reason", reason(err)))
		}
		s.config.Logger.LogAttrs(ctx, level, "request", attrs...)
		return nil
	}
}

// who names the token of a request by its id, or the user whom the bridge let in without one.
func who(i auth.Identity) slog.Attr {
	if i.HasToken() {
		return slog.String("token", i.TokenID.String())
	}
	return slog.Uint64("uid", uint64(i.UID))
}

// reason is an error in words that hold nothing a client sent.
func reason(err error) string {
	var invalid models.ValidationError
	if errors.As(err, &invalid) {
		return "invalid: " + strings.Join(slices.Sorted(maps.Keys(invalid)), ", ")
	}
	var known *echo.HTTPError
	if errors.As(err, &known) && known.Internal == nil {
		return http.StatusText(known.Code)
	}
	return err.Error()
}

// tokenLike is anything as long as a token in a token's alphabet.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{56,}`)

// maskTokens hides what may be a token in a path that someone mistyped.
func maskTokens(s string) string {
	if len(s) < wire.TokenLength {
		return s
	}
	return tokenLike.ReplaceAllString(s, "[token]")
}

// shorten cuts a text that a client chose to a length in bytes and to valid UTF-8.
func shorten(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
