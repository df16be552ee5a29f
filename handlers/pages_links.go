package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/templates"
)

// setupPage is GET /setup, the target of the one-time link that creates the first administrator.
func (s *Server) setupPage(c echo.Context) error {
	token := c.QueryParam("token")
	if err := s.authority.CheckSetup(c.Request().Context(), token); err != nil {
		return s.linkError(c, err, setupMessages())
	}
	return render(c, http.StatusOK, templates.Setup{Token: token,
		Rule: s.passwordRule(c, models.User{})})
}

// setupForm is POST /setup. It uses up the link, creates the administrator and signs in.
func (s *Server) setupForm(c echo.Context) error {
	token, r := c.Request().PostForm.Get("token"), s.formRegistration(c)
	user, err := s.authority.Setup(c.Request().Context(), token, r)
	if err == nil {
		return s.signIn(c, user, defaultNext)
	}
	if errs, status := fieldErrors(err); errs != nil {
		return s.renderError(c, err, status, templates.Setup{Token: token, Account: r.Account,
			Nickname: r.Nickname, Rule: s.passwordRule(c, models.User{}), Errors: errs})
	}
	return s.linkError(c, err, setupMessages())
}

// resetPage is GET /reset, the target of the one-time link that sets a new password.
func (s *Server) resetPage(c echo.Context) error {
	token := c.QueryParam("token")
	user, err := s.authority.CheckReset(c.Request().Context(), token)
	if err != nil {
		return s.linkError(c, err, resetMessages())
	}
	return render(c, http.StatusOK, templates.Reset{Token: token, AccountName: user.Account,
		Rule: s.passwordRule(c, user)})
}

// resetForm is POST /reset. It uses up the link and sets the password.
func (s *Server) resetForm(c echo.Context) error {
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
	if errs, status := fieldErrors(err); errs != nil {
		return s.renderError(c, err, status, templates.Reset{Token: token,
			AccountName: user.Account, Rule: s.passwordRule(c, user), Errors: errs})
	}
	return s.linkError(c, err, resetMessages())
}

func setupMessages() map[error]string {
	return map[error]string{
		models.ErrSetupDone:  "An administrator already exists. Sign in instead.",
		wire.ErrTokenExpired: "This setup link has expired. Restart the server to get a new one.",
		wire.ErrTokenInvalid: "This setup link is not valid. Use the last one that the server printed.",
	}
}

func resetMessages() map[error]string {
	return map[error]string{
		wire.ErrTokenExpired: "This link has expired. Ask your administrator for a new one.",
		wire.ErrTokenInvalid: "This link was used already, or a newer one replaced it. " +
			"Ask your administrator for another.",
	}
}

// linkError shows the message for a link that does not work. An error without a message is
// returned.
func (s *Server) linkError(c echo.Context, err error, messages map[error]string) error {
	for known, message := range messages {
		if errors.Is(err, known) {
			return s.renderError(c, err, http.StatusForbidden,
				s.problem(c, http.StatusForbidden, "This link does not work", message))
		}
	}
	return err
}
