package handlers

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/templates"
)

// maxPage is how many rows a list returns at most, usualPage unless ?limit= asks for another
// number.
const (
	maxPage   = 1000
	usualPage = 100
)

// queryLimit reads ?limit= and notes in v what is wrong with it.
func queryLimit(c echo.Context, v models.ValidationError) int {
	text := c.QueryParam("limit")
	if text == "" {
		return usualPage
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		v.Add("limit", "This is a number from 1 to "+strconv.Itoa(maxPage)+".")
	}
	return n
}

// fullUser is a user as administrators see it.
type fullUser struct {
	userResponse
	Account     string            `json:"account"`
	Type        models.ClientType `json:"type"`
	State       string            `json:"state"` // active, disabled
	CreatedAt   int64             `json:"created_at"`
	UpdatedAt   int64             `json:"updated_at"`
	LastLoginAt *int64            `json:"last_login_at"` // null: never
}

func fullUserOf(u models.User) fullUser {
	f := fullUser{userResponse: userResponseOf(u), Account: u.Account, Type: u.ClientType,
		State: u.State.String(), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
	if u.LastLoginAt != 0 {
		f.LastLoginAt = &u.LastLoginAt
	}
	return f
}

// users is GET /v1/users, for administrators: ?q= searches account and nickname.
func (s *Server) users(c echo.Context) error {
	v := models.ValidationError{}
	f := models.UserFilter{Query: c.QueryParam("q"), Limit: queryLimit(c, v)}
	if !models.IsText(f.Query) {
		v.Add("q", "This is not text.")
	}
	if after := c.QueryParam("after"); after != "" {
		n, err := strconv.ParseUint(after, 10, 32)
		if err != nil {
			v.Add("after", "This is not the id of a user.")
		}
		f.After = uint32(n)
	}
	if err := v.Err(); err != nil {
		return err
	}
	users, err := s.store.Users(c.Request().Context(), f)
	if err != nil {
		return err
	}
	page := struct {
		Users []fullUser `json:"users"`
		Next  uint32     `json:"next,omitempty"` // "after" of the next page
	}{Users: make([]fullUser, 0, len(users))}
	for _, u := range users {
		page.Users = append(page.Users, fullUserOf(u))
	}
	if len(users) == f.Limit {
		page.Next = users[f.Limit-1].ID
	}
	return c.JSON(http.StatusOK, page)
}

// userOf is the user that an administrator's path names.
func (s *Server) userOf(c echo.Context) (models.User, error) {
	uid, known := uidParam(c)
	if !known {
		return models.User{}, models.ErrNotFound
	}
	return s.store.UserByID(c.Request().Context(), uid)
}

// changeUser is PUT /v1/user/:uid {role, state, nickname}, for administrators.
func (s *Server) changeUser(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	var change auth.Change
	if body.has("nickname") {
		nickname := body.text("nickname")
		change.Nickname = &nickname
	}
	change.Role = oneOf(body, "role", models.RoleUser, models.RoleAdministrator)
	change.State = oneOf(body, "state", models.Active, models.Disabled)
	if !body.has("nickname") && !body.has("role") && !body.has("state") {
		body.problems.Add(bodyField, "Give a role, a state or a nickname.")
	}
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	if err := withProblems(body.problems, change.Check); err != nil {
		return err
	}
	if err := s.authority.Change(c.Request().Context(), user.ID, change); err != nil {
		return err
	}
	if user, err = s.userOf(c); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, fullUserOf(user))
}

// oneOf returns a member that is the word for one of two values; nil when it is missing, any other
// text is a problem.
func oneOf[T interface {
	comparable
	String() string
}](body object, name string, one, other T) *T {
	if !body.has(name) {
		return nil
	}
	switch body.text(name) {
	case one.String():
		return &one
	case other.String():
		return &other
	}
	if !body.problems.Has(name) {
		body.problems.Add(name, "This is "+one.String()+" or "+other.String()+".")
	}
	return nil
}

// changeMe is PUT /v1/user {nickname}.
func (s *Server) changeMe(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	nickname := body.text("nickname")
	if err := body.problems.Err(); err != nil {
		return err
	}
	err = s.authority.SetNickname(c.Request().Context(), caller(c).UID, nickname)
	if errors.Is(err, models.ErrNotFound) {
		return wire.ErrTokenInvalid
	}
	if err != nil {
		return err
	}
	return s.me(c)
}

// changeMyPassword is PUT /v1/user/secret {old, new}: every token of the account ends, this one too.
func (s *Server) changeMyPassword(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	p := auth.PasswordChange{UID: caller(c).UID, Old: body.text("old"), New: body.text("new"),
		Site: s.hostName(c)}
	ctx := c.Request().Context()
	err = withProblems(body.problems, func() error { return s.authority.CheckPasswordChange(ctx, p) })
	if err == nil {
		err = s.authority.ChangePassword(ctx, p)
	}
	if errors.Is(err, models.ErrNotFound) {
		return wire.ErrTokenInvalid
	}
	if err != nil {
		return err
	}
	return send(c, newResponse(http.StatusOK, wire.CodeOK, "ok"))
}

// resetLink is POST /v1/user/:uid/secret, for administrators: a link by which the user sets the
// secret anew, once.
func (s *Server) resetLink(c echo.Context) error {
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	token, expires, err := s.authority.ResetToken(c.Request().Context(), user.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, struct {
		Link      string `json:"link"`
		ExpiresAt int64  `json:"expires_at"`
	}{s.baseURL(c) + "/reset?token=" + token, expires})
}

// baseURL is where this server is reached: the public address, or where the caller reached it.
// HTTP/1.0 may not say: then it is where the connection ended.
func (s *Server) baseURL(c echo.Context) string {
	if s.site.public != nil {
		return s.site.public.String()
	}
	host := c.Request().Host
	local, known := c.Request().Context().Value(http.LocalAddrContextKey).(net.Addr)
	if host == "" && known {
		host = local.String()
	}
	return c.Scheme() + "://" + host
}

// hostName is the name by which this server is reached, without its port.
func (s *Server) hostName(c echo.Context) string {
	u, err := url.Parse(s.baseURL(c))
	if err != nil {
		return ""
	}
	return u.Hostname()
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
