package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"latchkey/client/wire"
)

// requestID gives every request an id: the client's if it has a harmless form, otherwise a random
// one.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	withID := middleware.RequestID()(next)
	return func(c echo.Context) error {
		h := c.Request().Header
		if id := h.Get(echo.HeaderXRequestID); id != "" && !isRequestID(id) {
			h.Del(echo.HeaderXRequestID)
		}
		return withID(c)
	}
}

// isRequestID accepts letters, digits and hyphens, but fewer than a token has, so that a token
// never becomes an id.
func isRequestID(id string) bool {
	for _, b := range []byte(id) {
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && b != '-' {
			return false
		}
	}
	return len(id) < wire.TokenLength
}

// recovered turns a panic into an error: the client gets 500/999 and the log a stack trace. The
// panic's value is not logged, because it may contain a secret.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if value := recover(); value != nil {
				s.config.Logger.Error("a handler panicked", "stack", string(debug.Stack()))
				err = fmt.Errorf("panic of type %T", value)
			}
		}()
		return next(c)
	}
}

// contentPolicy allows only our own style sheet, script and images.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// securityHeaders sets headers on every response. The referrer policy is not "no-referrer",
// because browsers would then send "Origin: null" with our own forms.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	fixed := http.Header{
		"Content-Security-Policy":      {contentPolicy},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
		"Referrer-Policy":              {"same-origin"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Cache-Control":                {"no-store"},
	}
	return func(c echo.Context) error {
		h := c.Response().Header()
		maps.Copy(h, fixed)
		if c.Scheme() == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		return next(c)
	}
}

// hostForm is a host name or address with an optional port.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// plainHost rejects malformed Host headers, because they end up in links and commands.
func plainHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if host := c.Request().Host; host != "" && !hostForm.MatchString(host) {
			return echo.NewHTTPError(http.StatusBadRequest, "The Host header is malformed.")
		}
		return next(c)
	}
}

// sameOrigin rejects state-changing requests that a browser sends for another site's page.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.origins.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden,
				"This request was rejected because a page of another site sent it.")
		}
		return next(c)
	}
}

// closing closes the client's connection after the response if the server is stopping by then.
func (s *Server) closing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			if s.stopping.Load() {
				c.Response().Header().Set("Connection", "close")
			}
		})
		return next(c)
	}
}

// exceptVerify skips a middleware for wire.VerifyPath, whose verdict must only depend on the
// token. The service behind the proxy checks the rest of the request itself.
func exceptVerify(middleware echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := middleware(next)
		return func(c echo.Context) error {
			if c.Request().URL.Path == wire.VerifyPath {
				return next(c)
			}
			return guarded(c)
		}
	}
}
