package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/models"
)

// expirySoon is how long before its expiry a list says that a service token expires soon.
const expirySoon = 14 * 24 * time.Hour

// tokenResponse is a token in a list. The token itself is only shown when it is created.
type tokenResponse struct {
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
	Current     bool              `json:"current"`      // the token of this request
	ExpiresSoon bool              `json:"expires_soon"` // a service token in its last 14 days
}

func (s *Server) tokenResponseOf(t models.Token, current models.TokenID) tokenResponse {
	r := tokenResponse{ID: t.ID.String(), Kind: t.Kind.String(), Type: t.ClientType,
		Scope: s.authority.ScopeName(t.Scope), Label: t.Label, IssuedAt: t.ID.IssuedAt,
		ExpiresAt: t.EndsAt, Address: t.Address, UserAgent: t.UserAgent, Current: t.ID == current,
		ExpiresSoon: expiresSoon(t)}
	if t.UsedAt != 0 {
		r.LastUsedAt = &t.UsedAt
	}
	return r
}

func expiresSoon(t models.Token) bool {
	return t.Kind == models.ServiceToken && time.Until(time.Unix(t.EndsAt, 0)) < expirySoon
}

// revokeToken is DELETE /v1/token, which revokes the token of the request.
func (s *Server) revokeToken(c echo.Context) error {
	if err := s.revoke(c, caller(c).TokenID, "revoked by its owner"); err != nil {
		return err
	}
	if _, err := c.Cookie(s.cookieName(c)); err == nil {
		s.writeCookie(c, "", -1)
	}
	return deleted(c, nil)
}

// revoke revokes a token that was verified a moment ago. It may be gone since.
func (s *Server) revoke(c echo.Context, id models.TokenID, reason string) error {
	err := s.authority.Revoke(acting(c), id, reason)
	if errors.Is(err, models.ErrNotFound) {
		return nil
	}
	return err
}

// renew is POST /v1/token/renew.
func (s *Server) renew(c echo.Context) error {
	issued, err := s.authority.Renew(acting(c), caller(c), s.client(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expires_at"`
	}{issued.Token, issued.Identity.ExpiresAt})
}

// createToken is POST /v1/tokens, which creates a service token.
func (s *Server) createToken(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	r := auth.ServiceRequest{Label: body.text("label"), Scope: body.text("scope"),
		Lifetime: body.number("lifetime"), Client: s.client(c)}
	issued, err := s.issueService(c, caller(c), r, body.problems)
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

// issueService issues a service token unless parsing the request found problems.
func (s *Server) issueService(
	c echo.Context, from auth.Identity, r auth.ServiceRequest, parsing models.ValidationError,
) (auth.Issued, error) {
	ctx := c.Request().Context()
	err := withProblems(parsing, func() error { return s.authority.CheckService(ctx, from, r) })
	if err != nil {
		return auth.Issued{}, err
	}
	issued, err := s.authority.IssueService(acting(c), from, r)
	var full auth.TokenLimitError
	if errors.As(err, &full) {
		err = models.ValidationError{"label": {fmt.Sprintf(msgTokenLimit, full.Limit)}}
	}
	return issued, err
}

const msgTokenLimit = "You have too many valid tokens: at most %d, and one place is kept for a " +
	"login. Revoke one that you no longer need, then try again."

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
	v := models.ValidationError{}
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
		Tokens []tokenResponse `json:"tokens"`
		Next   string          `json:"next,omitempty"` // "before" of the next page
	}{Tokens: make([]tokenResponse, 0, len(tokens))}
	for _, t := range tokens {
		page.Tokens = append(page.Tokens, s.tokenResponseOf(t, caller(c).TokenID))
	}
	if len(tokens) == f.Limit {
		page.Next = tokens[f.Limit-1].ID.String()
	}
	return c.JSON(http.StatusOK, page)
}

// revokeMyToken is DELETE /v1/tokens/:id.
func (s *Server) revokeMyToken(c echo.Context) error {
	return s.revokeTokenOf(c, caller(c).UID, "revoked by its owner")
}

// revokeUserToken is DELETE /v1/user/:uid/tokens/:id, for administrators.
func (s *Server) revokeUserToken(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.revokeTokenOf(c, user.ID, "revoked by an administrator")
}

func (s *Server) revokeTokenOf(c echo.Context, uid uint32, reason string) error {
	id, ok := models.ParseTokenID(c.Param("id"))
	if !ok || id.UID != uid {
		return models.ErrNotFound
	}
	return deleted(c, s.authority.Revoke(acting(c), id, reason))
}

// revokeMyTokens is DELETE /v1/tokens, which revokes all tokens of the caller except the one of
// the request; with ?all=1 that one too.
func (s *Server) revokeMyTokens(c echo.Context) error {
	i := caller(c)
	all, err := queryAll(c)
	if err != nil {
		return err
	}
	if all {
		return deleted(c, s.authority.RevokeAll(acting(c), i.UID, "revoked by its owner"))
	}
	return deleted(c, s.authority.RevokeOthers(acting(c), i.TokenID, "revoked by its owner"))
}

// queryAll reads ?all=. Any value but 1 is an error, because it would be ambiguous.
func queryAll(c echo.Context) (bool, error) {
	values, present := c.QueryParams()["all"]
	if present && (len(values) != 1 || values[0] != "1") {
		return false, models.ValidationError{"all": {"This must be 1 or absent."}}
	}
	return present, nil
}

// revokeUserTokens is DELETE /v1/user/:uid/tokens, for administrators. For the caller it works
// like DELETE /v1/tokens.
func (s *Server) revokeUserTokens(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	if user.ID == caller(c).UID {
		return s.revokeMyTokens(c)
	}
	return deleted(c, s.authority.RevokeAll(acting(c), user.ID,
		"revoked by an administrator"))
}

// introspect is POST /v1/token/secret: the times, scope and owner of a token.
func (s *Server) introspect(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	token := body.text("token")
	if token == "" {
		body.problems.Require("token")
	}
	if err := body.problems.Err(); err != nil {
		return err
	}
	identity, err := s.authority.Verify(token)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		CreateAt int64  `json:"create_at"`
		ExpireIn int64  `json:"expire_in"` // a time too, despite its name
		Scope    string `json:"scope"`
		UID      uint32 `json:"uid"`
	}{identity.TokenID.IssuedAt, identity.ExpiresAt,
		s.authority.ScopeName(identity.Scope), identity.UID})
}
