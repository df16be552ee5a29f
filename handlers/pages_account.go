package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/templates"
)

// tokenRows is how many tokens the account page lists.
const tokenRows = 50

// accountPage is GET /account: who is signed in, the token, and every other one.
func (s *Server) accountPage(c echo.Context, identity auth.Identity, token string) error {
	p, err := s.accountView(c, identity, token)
	if err != nil {
		return err
	}
	for notice, text := range map[string]string{
		"fresh": "New token issued.", "ended": "Token revoked.",
		"ended-others": "All your other tokens are revoked.", "renamed": "Nickname changed.",
		"elsewhere": "You are signed in, but the site that sent you here does not see it. Either it is " +
			"outside this server's cookie domain, or your browser keeps an older cookie. In that case " +
			"delete the cookies of both sites and sign in again.",
	} {
		if c.QueryParams().Has(notice) {
			p.Notice = text
		}
	}
	return render(c, http.StatusOK, p)
}

// accountView is the account page as it stands.
func (s *Server) accountView(
	c echo.Context, identity auth.Identity, token string,
) (templates.Account, error) {
	user, err := s.store.UserByID(c.Request().Context(), identity.UID)
	if errors.Is(err, models.ErrNotFound) {
		return templates.Account{}, wire.ErrTokenInvalid
	}
	if err != nil {
		return templates.Account{}, err
	}
	tokens, err := s.authority.Tokens(c.Request().Context(),
		models.TokenFilter{UID: user.ID, Limit: tokenRows + 1})
	if err != nil {
		return templates.Account{}, err
	}
	kind := "E-mail"
	if user.ClientType == models.Mobile {
		kind = "Mobile number"
	}
	return templates.Account{
		Chrome:       chromeOf(user),
		UID:          user.ID,
		AccountName:  user.Account,
		AccountLabel: kind,
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

// serviceForm offers the scopes and lifetimes that may be had, and keeps what was chosen.
func (s *Server) serviceForm(c echo.Context, identity auth.Identity) templates.ServiceForm {
	chosen := c.Request().PostForm
	f := templates.ServiceForm{Label: chosen.Get("label")}
	for _, name := range s.authority.Grantable(identity.Scope) {
		f.Scopes = append(f.Scopes,
			templates.Option{Value: name, Label: name, Chosen: name == chosen.Get("scope")})
	}
	most := int(s.authority.MaxTokenTTL() / (24 * time.Hour))
	for _, days := range []int{7, 30, 90, 180, 365} {
		if days > most {
			break
		}
		seconds := strconv.Itoa(days * 24 * 60 * 60)
		f.Lifetimes = append(f.Lifetimes, templates.Option{Value: seconds,
			Label: fmt.Sprintf("%d days", days), Chosen: seconds == chosen.Get("lifetime")})
	}
	if len(f.Lifetimes) == 0 {
		most := s.authority.MaxTokenTTL()
		f.Lifetimes = []templates.Option{{Value: strconv.Itoa(int(most / time.Second)),
			Label: most.String()}}
	}
	return f
}

// accountError shows the account page again with what is wrong with one of its forms; put says
// where that stands.
func (s *Server) accountError(c echo.Context, identity auth.Identity, token string, why error,
	put func(*templates.Account, templates.FieldErrors)) error {
	problems, status := formProblems(why)
	if problems == nil {
		return why
	}
	p, err := s.accountView(c, identity, token)
	if err != nil {
		return err
	}
	put(&p, problems)
	return s.formError(c, why, status, p)
}

// freshToken is POST /account/token: the session goes on with one more token; the earlier one
// stays valid, for it may be in use elsewhere.
func (s *Server) freshToken(c echo.Context, identity auth.Identity, _ string) error {
	issued, err := s.authority.IssueLike(c.Request().Context(), identity, s.client(c))
	if err != nil {
		return err
	}
	s.setCookie(c, issued)
	return c.Redirect(http.StatusSeeOther, "/account?fresh")
}

// createServiceToken is POST /account/tokens: a token for a program, shown this once.
func (s *Server) createServiceToken(c echo.Context, identity auth.Identity, token string) error {
	form, parsing := c.Request().PostForm, models.ValidationError{}
	lifetime, err := strconv.ParseInt(form.Get("lifetime"), 10, 64)
	if err != nil {
		parsing.Add("lifetime", "This field must be a whole number.")
	}
	issued, err := s.issueService(c, identity, auth.ServiceRequest{Label: form.Get("label"),
		Scope: form.Get("scope"), Lifetime: lifetime, Client: s.client(c)}, parsing)
	if err != nil {
		return s.accountError(c, identity, token, err,
			func(p *templates.Account, e templates.FieldErrors) { p.Service.Errors = e })
	}
	p, err := s.accountView(c, identity, token)
	if err != nil {
		return err
	}
	p.Created = &templates.CreatedToken{Token: issued.Token, Label: form.Get("label")}
	p.Service.Label = ""
	return render(c, http.StatusOK, p)
}

// revokeOne is POST /account/tokens/end; ending the session's own token signs out.
func (s *Server) revokeOne(c echo.Context, identity auth.Identity, _ string) error {
	id, ok := models.ParseTokenID(c.Request().PostForm.Get("id"))
	if !ok || id.UID != identity.UID {
		return models.ErrNotFound
	}
	if err := s.revoke(c, id, "ended by its owner"); err != nil {
		return err
	}
	if id == identity.TokenID {
		return s.signedOut(c)
	}
	return c.Redirect(http.StatusSeeOther, "/account?ended")
}

// revokeOthers is POST /account/tokens/end-others.
func (s *Server) revokeOthers(c echo.Context, identity auth.Identity, _ string) error {
	err := s.authority.RevokeOthers(c.Request().Context(), identity.TokenID, "ended by its owner")
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/account?ended-others")
}

// rename is POST /account/nickname.
func (s *Server) rename(c echo.Context, identity auth.Identity, token string) error {
	nickname := c.Request().PostForm.Get("nickname")
	err := s.authority.SetNickname(c.Request().Context(), identity.UID, nickname)
	if err != nil {
		return s.accountError(c, identity, token, err,
			func(p *templates.Account, e templates.FieldErrors) {
				p.Name = templates.NameForm{Nickname: nickname, Errors: e}
			})
	}
	return c.Redirect(http.StatusSeeOther, "/account?renamed")
}

// changePassword is POST /account/secret: every token of the account ends, this one too.
func (s *Server) changePassword(c echo.Context, identity auth.Identity, token string) error {
	form := c.Request().PostForm
	err := s.authority.ChangePassword(c.Request().Context(), auth.PasswordChange{UID: identity.UID,
		Old: form.Get("old"), New: form.Get("new"), Site: s.hostName(c)})
	if err != nil {
		return s.accountError(c, identity, token, err,
			func(p *templates.Account, e templates.FieldErrors) { p.Password.Errors = e })
	}
	s.writeCookie(c, "", -1)
	return c.Redirect(http.StatusSeeOther, "/login?secret-changed")
}
