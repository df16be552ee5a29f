package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/templates"
)

// setupPage is GET /setup, the one-time link by which the first administrator is made.
func (s *Server) setupPage(c echo.Context) error {
	token := c.QueryParam("token")
	if err := s.authority.CheckSetup(c.Request().Context(), token); err != nil {
		return s.setupProblem(c, err)
	}
	return render(c, http.StatusOK, templates.Setup{Token: token,
		Rule: s.passwordRule(c, models.User{})})
}

// setupForm is POST /setup; the link is spent here, not by looking at it.
func (s *Server) setupForm(c echo.Context) error {
	if err := readForm(c); err != nil {
		return err
	}
	token, r := c.Request().PostForm.Get("token"), s.formRegistration(c)
	user, err := s.authority.Setup(c.Request().Context(), token, r)
	if err != nil {
		problems, status := formProblems(err)
		if problems == nil {
			return s.setupProblem(c, err)
		}
		return s.formError(c, err, status, templates.Setup{Token: token, Account: r.Account,
			Nickname: r.Nickname, Rule: s.passwordRule(c, models.User{}), Errors: problems})
	}
	return s.signIn(c, user, defaultNext)
}

// setupProblem says why a setup link does not work; other errors pass through.
func (s *Server) setupProblem(c echo.Context, err error) error {
	switch {
	case errors.Is(err, models.ErrSetupDone):
		return s.linkProblem(c, err, "An administrator already exists. Sign in instead.")
	case errors.Is(err, wire.ErrTokenExpired):
		return s.linkProblem(c, err, "This setup link has expired. Restart the server to get a new one.")
	case errors.Is(err, wire.ErrTokenInvalid):
		return s.linkProblem(c, err,
			"This setup link is not valid. Use the last one that the server printed.")
	}
	return err
}

// linkProblem is the page of a link that does not work.
func (s *Server) linkProblem(c echo.Context, why error, message string) error {
	return s.formError(c, why, http.StatusForbidden, templates.Problem{Chrome: s.chrome(c),
		Status: http.StatusForbidden, Title: "This link does not work", Message: message,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID)})
}

// resetPage is GET /reset, the one-time link by which a secret is set anew.
func (s *Server) resetPage(c echo.Context) error {
	token := c.QueryParam("token")
	user, err := s.authority.CheckReset(c.Request().Context(), token)
	if err != nil {
		return s.resetProblem(c, err)
	}
	return render(c, http.StatusOK, templates.Reset{Token: token, AccountName: user.Account,
		Rule: s.passwordRule(c, user)})
}

// resetForm is POST /reset; the link is spent here, not by looking at it.
func (s *Server) resetForm(c echo.Context) error {
	if err := readForm(c); err != nil {
		return err
	}
	ctx, form := c.Request().Context(), c.Request().PostForm
	token := form.Get("token")
	user, err := s.authority.CheckReset(ctx, token)
	if err == nil {
		err = s.authority.Reset(ctx, token, form.Get("secret"), s.hostName(c))
	}
	if err == nil {
		err = s.setDeviceCookie(c, user.ID)
	}
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/login?secret-changed")
	}
	problems, status := formProblems(err)
	if problems == nil {
		return s.resetProblem(c, err)
	}
	return s.formError(c, err, status, templates.Reset{Token: token, AccountName: user.Account,
		Rule: s.passwordRule(c, user), Errors: problems})
}

// resetProblem says why a link to set a secret does not work; other errors pass through.
func (s *Server) resetProblem(c echo.Context, err error) error {
	switch {
	case errors.Is(err, wire.ErrTokenExpired):
		return s.linkProblem(c, err, "This link has expired. Ask your administrator for a new one.")
	case errors.Is(err, wire.ErrTokenInvalid):
		return s.linkProblem(c, err,
			"This link was used already, or a newer one replaced it. Ask your administrator for another.")
	}
	return err
}
