package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
	"latchkey/templates"
)

// loginPage is GET /login. It redirects a browser that already has a session.
func (s *Server) loginPage(c echo.Context) error {
	next := s.site.next(c.QueryParam("next"))
	if _, _, err := s.session(c); err == nil {
		if !s.site.getsCookie(next) || s.isRedirectLoop(c, next) {
			next = defaultNext + "?elsewhere"
		}
		return c.Redirect(http.StatusSeeOther, next)
	}
	p := templates.Login{Next: next, RegistrationOpen: s.config.Registration.open()}
	switch {
	case c.QueryParams().Has("signed-out"):
		p.Notice = "You are signed out."
	case c.QueryParams().Has("pending"):
		p.Notice = "Account created. You can sign in once an administrator has approved it."
	case c.QueryParams().Has("secret-changed"):
		p.Notice = "Password changed. Sign in with the new one."
	case origin(next) != "":
		p.Notice = "Sign in to continue to " + origin(next) + "."
	}
	return render(c, http.StatusOK, p)
}

// loginForm is POST /login.
func (s *Server) loginForm(c echo.Context) error {
	form := c.Request().PostForm
	account, next := form.Get("account"), s.site.next(form.Get("next"))
	issued, err := s.authority.Login(c.Request().Context(), auth.Login{Account: account,
		Password: form.Get("secret"), ClientType: models.TypeOf(account), Client: s.client(c),
		Devices: s.authority.Devices(c.Request(), isSecure(c))})
	if err != nil {
		return s.formError(c, err, func(errs templates.FieldErrors) page {
			return templates.Login{Account: account, Next: next,
				RegistrationOpen: s.config.Registration.open(), Errors: errs}
		})
	}
	if err := s.startSession(c, issued); err != nil {
		return err
	}
	return redirectAfterLogin(c, next)
}

// registerPage is GET /register.
func (s *Server) registerPage(c echo.Context) error {
	return render(c, http.StatusOK, templates.Register{Next: s.site.next(c.QueryParam("next")),
		Approval: s.config.Registration == RegistrationApprove, Rule: s.passwordRule(c, models.User{})})
}

// registerForm is POST /register. It creates the account and signs in, unless an administrator must
// approve the account first.
func (s *Server) registerForm(c echo.Context) error {
	r, next := s.formRegistration(c), s.site.next(c.Request().PostForm.Get("next"))
	r.Pending = s.config.Registration == RegistrationApprove
	user, err := s.authority.Register(c.Request().Context(), r, models.RoleUser)
	if err != nil {
		return s.formError(c, err, func(errs templates.FieldErrors) page {
			return templates.Register{Account: r.Account, Nickname: r.Nickname, Next: next,
				Approval: r.Pending, Rule: s.passwordRule(c, models.User{}), Errors: errs}
		})
	}
	if r.Pending {
		return c.Redirect(http.StatusSeeOther, "/login?pending&next="+url.QueryEscape(next))
	}
	return s.signIn(c, user, next)
}

func (s *Server) formRegistration(c echo.Context) auth.Registration {
	form := c.Request().PostForm
	account := form.Get("account")
	return auth.Registration{Account: account, Password: form.Get("secret"),
		Nickname: form.Get("nickname"), ClientType: models.TypeOf(account), Client: s.client(c),
		Site: s.hostName(c)}
}

// signIn starts a session for an account that was just created.
func (s *Server) signIn(c echo.Context, user models.User, next string) error {
	issued, err := s.authority.IssueFor(c.Request().Context(),
		auth.IssueRequest{UID: user.ID, Client: s.client(c)})
	if err != nil {
		return err
	}
	if err := s.startSession(c, issued); err != nil {
		return err
	}
	return redirectAfterLogin(c, next)
}
