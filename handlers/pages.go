package handlers

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
	"latchkey/templates"
)

// page is a page of package templates.
type page interface{ Render(w io.Writer) error }

func render(c echo.Context, status int, p page) error {
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		return err
	}
	return c.HTMLBlob(status, b.Bytes())
}

// chrome returns the frame of a page, with the user who is signed in.
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

// home is GET /.
func (s *Server) home(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, defaultNext)
}

// problemPage shows an error to a browser.
func (s *Server) problemPage(c echo.Context, r response) error {
	message := r.page
	if message == "" {
		message, _ = r.Msg.(string)
	}
	return render(c, r.status,
		s.problem(c, r.status, http.StatusText(r.status), message))
}

func (s *Server) problem(c echo.Context, status int, title, message string) templates.Problem {
	return templates.Problem{Chrome: s.chrome(c), Status: status, Title: title, Message: message,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID)}
}

// formError shows a form again, with the errors beside its fields. form returns its page. An error
// that a form cannot show is returned.
func (s *Server) formError(
	c echo.Context, err error, form func(templates.FieldErrors) page,
) error {
	errs, status := fieldErrors(err)
	if errs == nil {
		return err
	}
	return s.renderError(c, err, status, form(errs))
}

// renderError renders the page of an error and returns the error for the access log. The error
// handler ignores it, because the response is sent.
func (s *Server) renderError(c echo.Context, err error, status int, p page) error {
	setRateLimitHeaders(c.Response().Header(), err, status)
	if err := render(c, status, p); err != nil {
		return err
	}
	return err
}

// fieldErrors returns what a form shows of an error, or nil if a form cannot show it. It does not
// distinguish an unknown account from a wrong password.
func fieldErrors(err error) (errs templates.FieldErrors, status int) {
	whole := func(text string) templates.FieldErrors { return templates.FieldErrors{"": {text}} }
	var invalid models.ValidationError
	switch {
	case errors.As(err, &invalid):
		return templates.FieldErrors(invalid), http.StatusUnprocessableEntity
	case errors.Is(err, auth.ErrPending):
		return whole("An administrator must approve this account first."),
			http.StatusUnprocessableEntity
	case errors.Is(err, auth.ErrUnknownAccount), errors.Is(err, auth.ErrWrongPassword):
		return whole("The account or the password is wrong."), http.StatusUnprocessableEntity
	case errors.Is(err, auth.ErrTooManyAttempts):
		return whole("Too many failed attempts. Wait " + humanDuration(retryAfter(err)) +
			", then try again."), http.StatusTooManyRequests
	case errors.Is(err, auth.ErrTooManyRegistrations):
		return whole("Too many registrations from your network. Wait " +
			humanDuration(retryAfter(err)) + ", then try again."), http.StatusTooManyRequests
	case errors.Is(err, auth.ErrBusy), errors.Is(err, models.ErrUnavailable):
		return whole("The server is busy. Try again in a moment."), http.StatusServiceUnavailable
	}
	return nil, 0
}

// passwordRule returns the rule for new passwords, for a form of an existing user, or of a new one
// if u is zero.
func (s *Server) passwordRule(c echo.Context, u models.User) templates.PasswordRule {
	r := templates.PasswordRule{MinLength: s.config.MinPassword,
		Strength: s.config.PasswordStrength, Related: []string{s.hostName(c)}}
	if u.ID != 0 {
		r.Related = append(r.Related, u.Account, u.Nickname)
	}
	return r
}
