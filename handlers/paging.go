package handlers

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"latchkey/models"
)

// maxPage is how many rows a list returns at most, usualPage unless ?limit= asks for another
// number.
const (
	maxPage   = 1000
	usualPage = 100
)

// queryLimit reads ?limit= and notes in v what is wrong with it.
func queryLimit(c echo.Context, v models.ValidationError) int {
	text := c.QueryParam("limit")
	if text == "" {
		return usualPage
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		v.Add("limit", "This is a number from 1 to "+strconv.Itoa(maxPage)+".")
	}
	return n
}
