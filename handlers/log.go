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

// statusClientGone is logged, as in nginx, if the connection broke before the response. The client
// may get the real status anyway, if it closed only its own half.
const statusClientGone = 499

// accessLog logs one line a request, without headers, query and body. It refers to a token by its
// id. It calls the error handler itself, so that it logs the status that was sent.
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
			attrs = append(attrs, identityAttr(identity))
		}
		if err != nil {
			attrs = append(attrs, slog.String("reason", reason(err)))
			if rejected, ok := auth.RejectionAttr(err); ok {
				attrs = append(attrs, rejected)
			}
		}
		s.config.Logger.LogAttrs(ctx, level, "request", attrs...)
		return nil
	}
}

// identityAttr returns the id of the request's token, or the user whom the bridge let in without
// one.
func identityAttr(i auth.Identity) slog.Attr {
	if i.HasToken() {
		return slog.String("token", i.TokenID.String())
	}
	return slog.Uint64("uid", uint64(i.UID))
}

// reason describes an error without anything that the client sent.
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

// tokenLike matches anything at least as long as a token in a token's alphabet.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{56,}`)

// maskTokens hides what may be a token in a mistyped path.
func maskTokens(s string) string {
	if len(s) < wire.TokenLength {
		return s
	}
	return tokenLike.ReplaceAllString(s, "[token]")
}

// shorten cuts a text from a client to maxBytes and to valid UTF-8.
func shorten(s string, maxBytes int) string {
	return strings.ToValidUTF8(s[:min(len(s), maxBytes)], "")
}
