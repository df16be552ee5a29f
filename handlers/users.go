package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// userResponse is a user in the contract's form.
type userResponse struct {
	Auth     models.Role `json:"auth"` // 1 user, 2 administrator
	EMail    string      `json:"email"`
	ID       uint32      `json:"id"`
	Mobile   string      `json:"mobile,omitempty"`
	Nickname string      `json:"nickname"`
}

func userResponseOf(u models.User) userResponse {
	r := userResponse{Auth: u.Role, ID: u.ID, Nickname: u.Nickname}
	if u.ClientType == models.Mobile {
		r.Mobile = u.Account
	} else {
		r.EMail = u.Account
	}
	return r
}

// fullUser is a user with the members that only administrators get.
type fullUser struct {
	userResponse
	Account     string            `json:"account"`
	Type        models.ClientType `json:"type"`
	State       string            `json:"state"` // active, disabled, pending
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

// userOf returns the user whom an administrator names in the path.
func (s *Server) userOf(c echo.Context) (models.User, error) {
	uid, ok := uidParam(c)
	if !ok {
		return models.User{}, models.ErrNotFound
	}
	return s.store.UserByID(c.Request().Context(), uid)
}

// user is GET /v1/user/:uid. Administrators may read any user, others only themselves.
func (s *Server) user(c echo.Context) error {
	uid, ok := uidParam(c)
	identity := caller(c)
	if ok && identity.UID == uid {
		return ownAccount(s.me)(c)
	}
	if !identity.Scope.Includes(models.AdminScope) {
		return wire.ErrScope
	}
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, userResponseOf(user))
}

// stateParam reads ?state=, the word of a state. Any other text is a problem.
func stateParam(c echo.Context, v models.ValidationError) models.State {
	text := c.QueryParam("state")
	for _, state := range []models.State{models.Active, models.Disabled, models.Pending} {
		if text == state.String() {
			return state
		}
	}
	if text != "" {
		v.Add("state", "This must be active, disabled or pending.")
	}
	return 0
}

// users is GET /v1/users, for administrators. ?q= searches account and nickname, ?state= selects
// accounts in a state.
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
	f.State = stateParam(c, v)
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

// changeUser is PUT /v1/user/:uid, for administrators. It changes role, state or nickname; a
// service token only the state.
func (s *Server) changeUser(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	change := readChange(body)
	if change.Role != nil || change.Nickname != nil {
		if err := s.requireLogin(c); err != nil {
			return err
		}
	}
	user, err := s.userOf(c)
	if err != nil {
		return err
	}
	if err := withProblems(body.problems, change.Check); err != nil {
		return err
	}
	if err := s.authority.Change(acting(c), user.ID, change); err != nil {
		return err
	}
	if user, err = s.userOf(c); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, fullUserOf(user))
}

// readChange reads the members role, state and nickname. At least one must be present.
func readChange(body object) (change auth.Change) {
	if body.has("nickname") {
		nickname := body.text("nickname")
		change.Nickname = &nickname
	}
	change.Role = oneOf(body, "role", models.RoleUser, models.RoleAdministrator)
	change.State = oneOf(body, "state", models.Active, models.Disabled)
	if !body.has("nickname") && !body.has("role") && !body.has("state") {
		body.problems.Add(bodyField, "Give a role, a state or a nickname.")
	}
	return change
}

// oneOf returns a member whose text is that of one of two values, or nil if it is missing. Any
// other text is a problem.
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
		body.problems.Add(name, "This must be "+one.String()+" or "+other.String()+".")
	}
	return nil
}

// deleteUser is DELETE /v1/user/:uid, for administrators.
func (s *Server) deleteUser(c echo.Context) error {
	uid, ok := uidParam(c)
	if !ok {
		return models.ErrNotFound
	}
	return deleted(c, s.authority.Delete(acting(c), uid))
}

// resetLink is POST /v1/user/:uid/secret, for administrators. It creates a link with which the
// user can set a new password once.
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
