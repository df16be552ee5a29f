package handlers

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/templates"
)

// page is a typed page of package templates.
type page interface{ Render(w io.Writer) error }

func render(c echo.Context, status int, p page) error {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		return err
	}
	return c.HTMLBlob(status, b.Bytes())
}

// chrome is what the frame of every page shows of who is signed in.
func (s *Server) chrome(c echo.Context) templates.Chrome {
	identity, _, err := s.session(c)
	if err != nil {
		return templates.Chrome{}
	}
	user, err := s.store.UserByID(c.Request().Context(), identity.UID)
	if err != nil {
		return templates.Chrome{}
	}
	return chromeOf(user)
}

func chromeOf(u models.User) templates.Chrome {
	return templates.Chrome{SignedIn: true, Nickname: u.Nickname,
		Administrator: u.Role == models.RoleAdministrator}
}

// problemPage shows an error to a browser.
func (s *Server) problemPage(c echo.Context, a response) error {
	message, _ := a.Msg.(string)
	return render(c, a.status, templates.Problem{Chrome: s.chrome(c), Status: a.status,
		Title: http.StatusText(a.status), Message: message,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID)})
}

// readForm reads a form from a request's body. A field that comes twice is refused: which one
// counts would be a guess. Values in the query do not count.
func readForm(c echo.Context) error {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return readError(err, nil) // the error quotes the form
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return echo.NewHTTPError(http.StatusBadRequest, "The form has a field twice.")
		}
	}
	return nil
}

// home is GET /.
func (s *Server) home(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, defaultNext)
}

// loginPage is GET /login.
func (s *Server) loginPage(c echo.Context) error {
	next := s.site.next(c.QueryParam("next"))
	if _, _, err := s.session(c); err == nil {
		if !s.site.getsCookie(next) || s.isRedirectLoop(c, next) {
			next = defaultNext + "?elsewhere"
		}
		return c.Redirect(http.StatusSeeOther, next)
	}
	p := templates.Login{Next: next, RegistrationOpen: s.config.RegistrationOpen}
	switch {
	case c.QueryParams().Has("signed-out"):
		p.Notice = "You are signed out."
	case c.QueryParams().Has("secret-changed"):
		p.Notice = "Password changed. Sign in with the new one."
	case origin(next) != "":
		p.Notice = "Sign in to continue to " + origin(next) + "."
	}
	return render(c, http.StatusOK, p)
}

// loginForm is POST /login.
func (s *Server) loginForm(c echo.Context) error {
	if err := readForm(c); err != nil {
		return err
	}
	form := c.Request().PostForm
	account, next := form.Get("account"), s.site.next(form.Get("next"))
	issued, err := s.authority.Login(c.Request().Context(), auth.Login{Account: account,
		Password: form.Get("secret"), ClientType: models.TypeOf(account), Client: s.client(c),
		Devices: s.authority.Devices(c.Request(), isSecure(c))})
	if err != nil {
		problems, status := formProblems(err)
		if problems == nil {
			return err
		}
		return s.formError(c, err, status, templates.Login{Account: account, Next: next,
			RegistrationOpen: s.config.RegistrationOpen, Errors: problems})
	}
	if err := s.startSession(c, issued); err != nil {
		return err
	}
	return redirectAfterLogin(c, next)
}

// formProblems says what a form shows for an error; nil means that it is none of the form's. An
// unknown account and a wrong secret are the same to it.
func formProblems(err error) (problems templates.FieldErrors, status int) {
	var invalid models.ValidationError
	switch {
	case errors.As(err, &invalid):
		return templates.FieldErrors(invalid), http.StatusUnprocessableEntity
	case errors.Is(err, auth.ErrUnknownAccount), errors.Is(err, auth.ErrWrongPassword):
		return templates.FieldErrors{"": {"The account or the password is wrong."}},
			http.StatusUnprocessableEntity
	case errors.Is(err, auth.ErrTooManyAttempts):
		return templates.FieldErrors{"": {"Too many failed attempts. Wait " +
			humanDuration(retryAfter(err)) + ", then try again."}}, http.StatusTooManyRequests
	case errors.Is(err, auth.ErrBusy), errors.Is(err, models.ErrUnavailable):
		return templates.FieldErrors{"": {"The server is busy. Try again in a moment."}},
			http.StatusServiceUnavailable
	}
	return nil, 0
}

// formError shows a form again with what is wrong beside its fields, and leaves the reason to
// the log.
func (s *Server) formError(c echo.Context, why error, status int, p page) error {
	setRateLimitHeaders(c.Response().Header(), why, status)
	if err := render(c, status, p); err != nil {
		return err
	}
	return why // answered already: the error handler leaves it, the access log tells it
}

// registerPage is GET /register.
func (s *Server) registerPage(c echo.Context) error {
	if !s.config.RegistrationOpen {
		return errRegistrationClosed
	}
	return render(c, http.StatusOK, templates.Register{Next: s.site.next(c.QueryParam("next")),
		Rule: s.passwordRule(c, models.User{})})
}

// registerForm is POST /register: it makes the account and signs in.
func (s *Server) registerForm(c echo.Context) error {
	if !s.config.RegistrationOpen {
		return errRegistrationClosed
	}
	if err := readForm(c); err != nil {
		return err
	}
	r, next := s.formRegistration(c), s.site.next(c.Request().PostForm.Get("next"))
	user, err := s.authority.Register(c.Request().Context(), r, models.RoleUser)
	if err != nil {
		problems, status := formProblems(err)
		if problems == nil {
			return err
		}
		return s.formError(c, err, status, templates.Register{Account: r.Account,
			Nickname: r.Nickname, Next: next, Rule: s.passwordRule(c, models.User{}),
			Errors: problems})
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

// signIn starts the session of an account that was made a moment ago.
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

// logout is POST /logout: the session's token ends, the cookie goes.
func (s *Server) logout(c echo.Context) error {
	if err := s.revokeCookie(c, "logged out"); err != nil {
		return err
	}
	return s.signedOut(c)
}

func (s *Server) signedOut(c echo.Context) error {
	s.writeCookie(c, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?signed-out")
}
