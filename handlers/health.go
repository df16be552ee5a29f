package handlers

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// healthz is GET /healthz: the process responds.
func (s *Server) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// readyz is GET /readyz: the server is not stopping, the store is readable and the set of revoked
// tokens is up to date.
func (s *Server) readyz(c echo.Context) error {
	if s.stopping.Load() {
		return errStopping
	}
	ctx := c.Request().Context()
	if err := errors.Join(s.store.Ping(ctx), s.authority.Ready()); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}
