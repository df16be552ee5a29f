package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth/strength"
	"latchkey/static"
)

// openAPI is GET /openapi.json.
func (s *Server) openAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, static.OpenAPI)
}

// asset is GET /static/:name, an embedded file. Browsers revalidate it on every use and get 304
// while it is unchanged.
func (s *Server) asset(c echo.Context) error {
	name := c.Param("name")
	content, err := static.Files.ReadFile(name)
	if name == strength.ScriptName {
		content, err = strength.Script(), nil
	}
	if err != nil {
		return echo.ErrNotFound
	}
	sum := sha256.Sum256(content)
	h := c.Response().Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(c.Response(), c.Request(), name, time.Time{}, bytes.NewReader(content))
	return nil
}
