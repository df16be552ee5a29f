package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
	"latchkey/templates"
)

// tokenRows is the maximum number of tokens on the account page.
const tokenRows = 50

// accountPage is GET /account.
func (s *Server) accountPage(c echo.Context) error {
	p, err := s.accountView(c)
	if err != nil {
		return err
	}
	for query, notice := range accountNotices() {
		if c.QueryParams().Has(query) {
			p.Notice = notice
		}
	}
	return render(c, http.StatusOK, p)
}

// accountNotices maps a query parameter of the account page to its notice.
func accountNotices() map[string]string {
	return map[string]string{
		"fresh":        "New token issued.",
		"ended":        "Token revoked.",
		"ended-others": "All your other tokens are revoked.",
		"renamed":      "Nickname changed.",
		"elsewhere": "You are signed in, but the site that sent you here does not see it. Either it " +
			"is outside this server's cookie domain, or your browser keeps an older cookie. In that " +
			"case delete the cookies of both sites and sign in again.",
	}
}

// accountView returns the account page of the session.
func (s *Server) accountView(c echo.Context) (templates.Account, error) {
	identity, token, err := s.session(c)
	if err != nil {
		return templates.Account{}, err
	}
	ctx := c.Request().Context()
	user, err := s.store.UserByID(ctx, identity.UID)
	if err != nil {
		return templates.Account{}, err
	}
	tokens, err := s.authority.Tokens(ctx, models.TokenFilter{UID: user.ID, Limit: tokenRows + 1})
	if err != nil {
		return templates.Account{}, err
	}
	label := "E-mail"
	if user.ClientType == models.Mobile {
		label = "Mobile number"
	}
	return templates.Account{
		Chrome:       chromeOf(user),
		UID:          user.ID,
		AccountName:  user.Account,
		AccountLabel: label,
		Scope:        s.authority.ScopeName(identity.Scope),
		Role:         user.Role.String(),
		Token:        token,
		IssuedAt:     utc(identity.TokenID.IssuedAt),
		ExpiresAt:    utc(identity.ExpiresAt),
		Now:          time.Now().UTC(),
		BaseURL:      s.baseURL(c),
		Tokens:       s.rows(tokens, identity),
		More:         len(tokens) > tokenRows,
		Service:      s.serviceForm(c, identity),
		Name:         templates.NameForm{Nickname: user.Nickname},
		Password:     templates.PasswordForm{Rule: s.passwordRule(c, user)},
	}, nil
}

func utc(unix int64) time.Time { return time.Unix(unix, 0).UTC() }

func (s *Server) rows(tokens []models.Token, identity auth.Identity) []templates.TokenRow {
	rows := make([]templates.TokenRow, 0, len(tokens))
	for _, t := range tokens[:min(len(tokens), tokenRows)] {
		row := templates.TokenRow{ID: t.ID.String(), Label: t.Label,
			Scope: s.authority.ScopeName(t.Scope), UserAgent: t.UserAgent, Address: t.Address,
			IssuedAt: utc(t.ID.IssuedAt), ExpiresAt: utc(t.EndsAt),
			Current: t.ID == identity.TokenID, ExpiresSoon: expiresSoon(t)}
		if t.UsedAt != 0 {
			row.UsedAt = utc(t.UsedAt)
		}
		rows = append(rows, row)
	}
	return rows
}

// serviceForm returns the form for a service token, with the scopes and lifetimes that the session
// may grant and the values of the request's form.
func (s *Server) serviceForm(c echo.Context, identity auth.Identity) templates.ServiceForm {
	chosen := c.Request().PostForm
	f := templates.ServiceForm{Label: chosen.Get("label")}
	for _, name := range s.authority.Grantable(identity.Scope) {
		f.Scopes = append(f.Scopes,
			templates.Option{Value: name, Label: name, Chosen: name == chosen.Get("scope")})
	}
	maxTTL := s.authority.MaxTokenTTL()
	for _, days := range []int{7, 30, 90, 180, 365} {
		if time.Duration(days)*24*time.Hour > maxTTL {
			break
		}
		seconds := strconv.Itoa(days * 24 * 60 * 60)
		f.Lifetimes = append(f.Lifetimes, templates.Option{Value: seconds,
			Label: fmt.Sprintf("%d days", days), Chosen: seconds == chosen.Get("lifetime")})
	}
	if len(f.Lifetimes) == 0 {
		f.Lifetimes = []templates.Option{{Value: strconv.Itoa(int(maxTTL / time.Second)),
			Label: maxTTL.String()}}
	}
	return f
}

// accountError shows the account page again with the errors of one of its forms. put stores them
// in the page.
func (s *Server) accountError(
	c echo.Context, cause error, put func(*templates.Account, templates.FieldErrors),
) error {
	p, err := s.accountView(c)
	if err != nil {
		return err
	}
	return s.formError(c, cause, func(errs templates.FieldErrors) page {
		put(&p, errs)
		return p
	})
}

// newSessionToken is POST /account/token. It gives the session a new token. The old one stays
// valid, because it may be in use elsewhere.
func (s *Server) newSessionToken(c echo.Context) error {
	issued, err := s.authority.IssueLike(acting(c), caller(c), s.client(c))
	if err != nil {
		return err
	}
	s.setCookie(c, issued)
	return c.Redirect(http.StatusSeeOther, "/account?fresh")
}

// createServiceToken is POST /account/tokens. The page shows the new token once.
func (s *Server) createServiceToken(c echo.Context) error {
	form, parsing := c.Request().PostForm, models.ValidationError{}
	lifetime, err := strconv.ParseInt(form.Get("lifetime"), 10, 64)
	if err != nil {
		parsing.Add("lifetime", "This field must be a whole number.")
	}
	issued, err := s.issueService(c, caller(c), auth.ServiceRequest{Label: form.Get("label"),
		Scope: form.Get("scope"), Lifetime: lifetime, Client: s.client(c)}, parsing)
	if err != nil {
		return s.accountError(c, err, func(p *templates.Account, errs templates.FieldErrors) {
			p.Service.Errors = errs
		})
	}
	p, err := s.accountView(c)
	if err != nil {
		return err
	}
	p.Created = &templates.CreatedToken{Token: issued.Token, Label: form.Get("label")}
	p.Service.Label = ""
	return render(c, http.StatusOK, p)
}

// revokeOne is POST /account/tokens/end. Revoking the session's own token signs out.
func (s *Server) revokeOne(c echo.Context) error {
	identity := caller(c)
	id, ok := models.ParseTokenID(c.Request().PostForm.Get("id"))
	if !ok || id.UID != identity.UID {
		return models.ErrNotFound
	}
	if err := s.revoke(c, id, "revoked by its owner"); err != nil {
		return err
	}
	if id == identity.TokenID {
		return s.signedOut(c)
	}
	return c.Redirect(http.StatusSeeOther, "/account?ended")
}

// revokeOthers is POST /account/tokens/end-others.
func (s *Server) revokeOthers(c echo.Context) error {
	err := s.authority.RevokeOthers(acting(c), caller(c).TokenID, "revoked by its owner")
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/account?ended-others")
}

// rename is POST /account/nickname.
func (s *Server) rename(c echo.Context) error {
	nickname := c.Request().PostForm.Get("nickname")
	err := s.authority.SetNickname(c.Request().Context(), caller(c).UID, nickname)
	if err != nil {
		return s.accountError(c, err, func(p *templates.Account, errs templates.FieldErrors) {
			p.Name = templates.NameForm{Nickname: nickname, Errors: errs}
		})
	}
	return c.Redirect(http.StatusSeeOther, "/account?renamed")
}

// changePassword is POST /account/secret. It revokes all tokens of the account, so the user signs
// in again.
func (s *Server) changePassword(c echo.Context) error {
	form := c.Request().PostForm
	err := s.authority.ChangePassword(acting(c), auth.PasswordChange{
		From: caller(c), Old: form.Get("old"), New: form.Get("new"), Site: s.hostName(c)})
	if err != nil {
		return s.accountError(c, err, func(p *templates.Account, errs templates.FieldErrors) {
			p.Password.Errors = errs
		})
	}
	s.writeCookie(c, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?secret-changed")
}
