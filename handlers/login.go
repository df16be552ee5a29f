package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
)

// login is POST /v1/token: with a JSON body, or without one and with HTTP Basic.
func (s *Server) login(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	login := auth.Login{
		Account:  body.text("account"),
		Password: body.text("secret"),
		Client:   s.client(c),
		Devices:  s.authority.Devices(c.Request(), isSecure(c)),
	}
	basic, ok := auth.BasicFrom(c.Request())
	if ok && len(body.members) == 0 {
		login.Account, login.Password = basic.User, basic.Password
		login.ClientType = models.TypeOf(basic.User)
	} else {
		login.ClientType = body.clientType()
	}
	if err := withProblems(body.problems, login.Check); err != nil {
		return err
	}
	issued, err := s.authority.Login(c.Request().Context(), login)
	if err != nil {
		return err
	}
	auth.SetIdentity(c, issued.Identity) // for the access log
	return c.JSON(http.StatusCreated, map[string]string{"token": issued.Token})
}
