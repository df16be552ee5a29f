package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// userResponse is a user as the contract shows it.
type userResponse struct {
	Auth     models.Role `json:"auth"` // 1 user, 2 administrator
	EMail    string      `json:"email"`
	ID       uint32      `json:"id"`
	Mobile   string      `json:"mobile,omitempty"`
	Nickname string      `json:"nickname"`
}

func userResponseOf(u models.User) userResponse {
	a := userResponse{Auth: u.Role, ID: u.ID, Nickname: u.Nickname}
	if u.ClientType == models.Mobile {
		a.Mobile = u.Account
	} else {
		a.EMail = u.Account
	}
	return a
}

// register is POST /v1/client/register.
func (s *Server) register(c echo.Context) error {
	if !s.config.RegistrationOpen {
		return errRegistrationClosed
	}
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	r := auth.Registration{
		Account:    body.text("account"),
		Password:   body.text("secret"),
		Nickname:   body.text("nickname"),
		ClientType: body.clientType(),
		Client:     s.client(c),
		Site:       s.hostName(c),
	}
	ctx := c.Request().Context()
	err = withProblems(body.problems, func() error { return s.authority.CheckRegistration(ctx, r) })
	if err != nil {
		return err
	}
	if _, err := s.authority.Register(ctx, r, models.RoleUser); err != nil {
		return err
	}
	return send(c, newResponse(http.StatusCreated, wire.CodeOK, "ok"))
}

// login is POST /v1/token: a JSON body, or none and account and secret in HTTP Basic.
func (s *Server) login(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	login := auth.Login{
		Account:  body.text("account"),
		Password: body.text("secret"),
		Client:   s.client(c),
		Devices:  s.authority.Devices(c.Request(), isSecure(c)),
	}
	basic, ok := auth.BasicFrom(c.Request())
	if ok && len(body.members) == 0 {
		login.Account, login.Password = basic.User, basic.Password
		login.ClientType = models.TypeOf(basic.User)
	} else {
		login.ClientType = body.clientType()
	}
	if err := withProblems(body.problems, login.Check); err != nil {
		return err
	}
	issued, err := s.authority.Login(c.Request().Context(), login)
	if err != nil {
		return err
	}
	auth.SetIdentity(c, issued.Identity) // for the log
	return c.JSON(http.StatusCreated, map[string]string{"token": issued.Token})
}

// client is who asks, for the list of tokens and for the limits of logins.
func (s *Server) client(c echo.Context) auth.Client {
	s.warnUntrustedProxy(c)
	return auth.Client{UserAgent: shorten(c.Request().UserAgent(), 200), Address: c.RealIP()}
}

// shorten cuts a text that a client chose to a length in bytes and to valid UTF-8.
func shorten(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
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

// me is GET /v1/user: the caller.
func (s *Server) me(c echo.Context) error {
	user, err := s.store.UserByID(c.Request().Context(), caller(c).UID)
	if errors.Is(err, models.ErrNotFound) {
		return wire.ErrTokenInvalid // tokens end with their account
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, userResponseOf(user))
}

// user is GET /v1/user/:uid: any user for administrators, oneself for others.
func (s *Server) user(c echo.Context) error {
	uid, known := uidParam(c)
	identity := caller(c)
	if known && identity.UID == uid {
		return s.me(c)
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

// deleteMe is DELETE /v1/user: the caller's own account.
func (s *Server) deleteMe(c echo.Context) error {
	err := s.authority.Delete(c.Request().Context(), caller(c).UID)
	if errors.Is(err, models.ErrNotFound) {
		return wire.ErrTokenInvalid
	}
	return deleted(c, err)
}

// deleteUser is DELETE /v1/user/:uid, for administrators.
func (s *Server) deleteUser(c echo.Context) error {
	uid, known := uidParam(c)
	if !known {
		return models.ErrNotFound
	}
	return deleted(c, s.authority.Delete(c.Request().Context(), uid))
}

func deleted(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return send(c, newResponse(http.StatusAccepted, wire.CodeDeleted, "ok"))
}

// caller is who the verified token of the request speaks for; the routes that use it all require
// one.
func caller(c echo.Context) auth.Identity {
	identity, _ := auth.IdentityFrom(c)
	return identity
}

// plainUID answers 404 for a uid that is no plain number, before any token is looked at: there is
// no such route.
func plainUID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		uid := c.Param("uid")
		if strings.Trim(uid, "0123456789") != "" || (len(uid) > 1 && uid[0] == '0') {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// uidParam is the uid of the path; known is false for a number that no user can have.
func uidParam(c echo.Context) (uid uint32, known bool) {
	n, err := strconv.ParseUint(c.Param("uid"), 10, 32)
	return uint32(n), err == nil
}
