package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"

	"latchkey/client/wire"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// requestID gives every request an id: the client's if it is of a harmless form, else a random
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

// isRequestID accepts letters, digits and hyphens, fewer than a token has: nobody's token becomes
// an id.
func isRequestID(id string) bool {
	for _, b := range []byte(id) {
		if (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && b != '-' {
			return false
		}
	}
	return len(id) < wire.TokenLength
}

// recovered turns a panic into an error: the client gets 500/999, the log gets where it happened,
// without the value that was panicked with.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if value := recover(); value != nil {
				s.config.Logger.Error("panic", "stack", string(debug.Stack()))
				err = fmt.Errorf("panic of type %T", value)
			}
		}()
		return next(c)
	}
}

// contentPolicy lets the pages use our own style sheet, script and images and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// securityHeaders are set on every answer; their values are made once and shared. The referrer
// policy is not "no-referrer": with that, browsers send "Origin: null" with our own forms.
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

// hostForm is a host name or address and perhaps a port.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

// plainHost refuses a Host header that is none: links and ready-made lines are made of it.
func plainHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if host := c.Request().Host; host != "" && !hostForm.MatchString(host) {
			return echo.NewHTTPError(http.StatusBadRequest, "The Host header is malformed.")
		}
		return next(c)
	}
}

// sameOrigin refuses state-changing requests that a browser makes for another site's page.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.origins.Check(c.Request()); err != nil {
			return echo.NewHTTPError(http.StatusForbidden,
				"This request was rejected because a page of another site sent it.")
		}
		return next(c)
	}
}

// closing tells the client to close its connection after this answer, if the server stops by then.
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

// exceptVerify leaves a middleware out for wire.VerifyPath: a request that it would refuse on other
// grounds is judged by the service behind the proxy.
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
