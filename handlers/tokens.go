package handlers

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
)

// expirySoon is how long before its end a service's token is announced to end.
const expirySoon = 14 * 24 * time.Hour

// tokenAnswer is what a list says of a token. The token itself is shown once, when it is made.
type tokenAnswer struct {
	ID          string            `json:"id"`
	Kind        string            `json:"kind"` // login, service
	Type        models.ClientType `json:"type"`
	Scope       string            `json:"scope"`
	Label       string            `json:"label"`
	IssuedAt    int64             `json:"issued_at"`
	ExpiresAt   int64             `json:"expires_at"`
	LastUsedAt  *int64            `json:"last_used_at"` // null: never
	Address     string            `json:"address"`
	UserAgent   string            `json:"user_agent"`
	Current     bool              `json:"current"`      // the one this request carries
	ExpiresSoon bool              `json:"expires_soon"` // a service's token in its last 14 days
}

func (s *Server) answerToken(t models.Token, current models.TokenID) tokenAnswer {
	a := tokenAnswer{ID: t.ID.String(), Kind: t.Kind.String(), Type: t.ClientType,
		Scope: s.authority.ScopeName(t.Scope), Label: t.Label, IssuedAt: t.ID.IssuedAt,
		ExpiresAt: t.EndsAt, Address: t.Address, UserAgent: t.UserAgent, Current: t.ID == current,
		ExpiresSoon: expiresSoon(t)}
	if t.UsedAt != 0 {
		a.LastUsedAt = &t.UsedAt
	}
	return a
}

func expiresSoon(t models.Token) bool {
	return t.Kind == models.ServiceToken && time.Until(time.Unix(t.EndsAt, 0)) < expirySoon
}

// endToken is DELETE /v1/token: the token that the request carries.
func (s *Server) endToken(c echo.Context) error {
	if err := s.end(c, caller(c).TokenID, "ended by its holder"); err != nil {
		return err
	}
	if _, err := c.Cookie(s.cookieName(c)); err == nil {
		s.writeCookie(c, "", -1)
	}
	return deleted(c, nil)
}

// end ends a token that was verified a moment ago, whatever has become of it since.
func (s *Server) end(c echo.Context, id models.TokenID, reason string) error {
	err := s.authority.End(c.Request().Context(), id, reason)
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	return err
}

// renew is POST /v1/token/renew.
func (s *Server) renew(c echo.Context) error {
	issued, err := s.authority.Renew(c.Request().Context(), caller(c), s.client(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expires_at"`
	}{issued.Token, issued.Identity.ExpiresAt})
}

// createToken is POST /v1/tokens: a token for a program.
func (s *Server) createToken(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	r := auth.ServiceRequest{Label: body.text("label"), Scope: body.text("scope"),
		Lifetime: body.number("lifetime"), Client: s.client(c), Problems: body.problems}
	issued, err := s.authority.IssueService(c.Request().Context(), caller(c), r)
	if err != nil {
		return err
	}
	i := issued.Identity
	return c.JSON(http.StatusCreated, struct {
		Token     string `json:"token"`
		ID        string `json:"id"`
		Label     string `json:"label"`
		Scope     string `json:"scope"`
		ExpiresAt int64  `json:"expires_at"`
	}{issued.Token, i.TokenID.String(), r.Label, s.authority.ScopeName(i.Scope), i.ExpiresAt})
}

// myTokens is GET /v1/tokens.
func (s *Server) myTokens(c echo.Context) error { return s.listTokens(c, caller(c).UID) }

// userTokens is GET /v1/user/:uid/tokens, for administrators.
func (s *Server) userTokens(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.listTokens(c, user.ID)
}

func (s *Server) listTokens(c echo.Context, uid uint32) error {
	v := models.Invalid{}
	f := models.TokenFilter{UID: uid, Limit: queryLimit(c, v)}
	if before := c.QueryParam("before"); before != "" {
		var ok bool
		if f.Before, ok = models.ParseTokenID(before); !ok {
			v.Add("before", "This is not the id of a token.")
		}
	}
	if err := v.Err(); err != nil {
		return err
	}
	tokens, err := s.authority.Tokens(c.Request().Context(), f)
	if err != nil {
		return err
	}
	page := struct {
		Tokens []tokenAnswer `json:"tokens"`
		Next   string        `json:"next,omitempty"` // "before" of the next page
	}{Tokens: make([]tokenAnswer, 0, len(tokens))}
	for _, t := range tokens {
		page.Tokens = append(page.Tokens, s.answerToken(t, caller(c).TokenID))
	}
	if len(tokens) == f.Limit {
		page.Next = tokens[f.Limit-1].ID.String()
	}
	return c.JSON(http.StatusOK, page)
}

// endMyToken is DELETE /v1/tokens/:id.
func (s *Server) endMyToken(c echo.Context) error {
	return s.endTokenOf(c, caller(c).UID, "ended by its owner")
}

// endUserToken is DELETE /v1/user/:uid/tokens/:id, for administrators.
func (s *Server) endUserToken(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.endTokenOf(c, user.ID, "ended by an administrator")
}

func (s *Server) endTokenOf(c echo.Context, uid uint32, reason string) error {
	id, ok := models.ParseTokenID(c.Param("id"))
	if !ok || id.UID != uid {
		return models.ErrNotFound
	}
	return deleted(c, s.authority.End(c.Request().Context(), id, reason))
}

// endMyTokens is DELETE /v1/tokens: all but the one the request carries; with ?all=1 that one too.
func (s *Server) endMyTokens(c echo.Context) error {
	ctx, i := c.Request().Context(), caller(c)
	all, err := queryAll(c)
	if err != nil {
		return err
	}
	if all {
		return deleted(c, s.authority.EndAll(ctx, i.UID, "ended by its owner"))
	}
	return deleted(c, s.authority.EndOthers(ctx, i.TokenID, "ended by its owner"))
}

// queryAll reads ?all=, which is 1 or not there: who says it otherwise would be misunderstood.
func queryAll(c echo.Context) (bool, error) {
	values, there := c.QueryParams()["all"]
	if there && (len(values) != 1 || values[0] != "1") {
		return false, models.Invalid{"all": {"This is 1, or left out."}}
	}
	return there, nil
}

// endUserTokens is DELETE /v1/user/:uid/tokens, for administrators. Of their own tokens they keep
// the one the request carries, unless they say ?all=1.
func (s *Server) endUserTokens(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	if user.ID == caller(c).UID {
		return s.endMyTokens(c)
	}
	return deleted(c, s.authority.EndAll(c.Request().Context(), user.ID,
		"ended by an administrator"))
}
