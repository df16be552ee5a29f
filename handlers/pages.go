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

// home is GET /.
func (s *Server) home(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, defaultNext)
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

// passwordRule is what the forms show of the rule for new secrets, of a user that is there or of one
// who types account and nickname into the same form.
func (s *Server) passwordRule(c echo.Context, u models.User) templates.PasswordRule {
	r := templates.PasswordRule{MinLength: s.config.MinPassword, Strength: s.config.PasswordStrength,
		Related: []string{s.hostName(c)}}
	if u.ID != 0 {
		r.Related = append(r.Related, u.Account, u.Nickname)
	}
	return r
}
