package handlers

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"latchkey/models"
)

// The maximum and the default number of rows that a list returns.
const (
	maxPage     = 1000
	defaultPage = 100
)

// queryLimit reads ?limit=. It adds a problem to v if the value is invalid.
func queryLimit(c echo.Context, v models.ValidationError) int {
	text := c.QueryParam("limit")
	if text == "" {
		return defaultPage
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		v.Add("limit", "This must be a number from 1 to "+strconv.Itoa(maxPage)+".")
	}
	return n
}
