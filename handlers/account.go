package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// register is POST /v1/client/register.
func (s *Server) register(c echo.Context) error {
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
		Pending:    s.config.Registration == RegistrationApprove,
	}
	err = withProblems(body.problems, func() error { return s.authority.CheckRegistration(r) })
	if err != nil {
		return err
	}
	if _, err := s.authority.Register(c.Request().Context(), r, models.RoleUser); err != nil {
		return err
	}
	msg := "ok"
	if r.Pending {
		msg = msgPending
	}
	return send(c, newResponse(http.StatusCreated, wire.CodeOK, msg))
}

// me is GET /v1/user.
func (s *Server) me(c echo.Context) error {
	user, err := s.store.UserByID(c.Request().Context(), caller(c).UID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, userResponseOf(user))
}

// changeMe is PUT /v1/user, which changes the nickname.
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
	if err != nil {
		return err
	}
	return s.me(c)
}

// changeMyPassword is PUT /v1/user/secret. It revokes all tokens of the account.
func (s *Server) changeMyPassword(c echo.Context) error {
	body, err := readObject(c.Request())
	if err != nil {
		return err
	}
	p := auth.PasswordChange{From: caller(c), Old: body.text("old"), New: body.text("new"),
		Site: s.hostName(c)}
	ctx := c.Request().Context()
	err = withProblems(body.problems, func() error { return s.authority.CheckPasswordChange(ctx, p) })
	if err != nil {
		return err
	}
	if err := s.authority.ChangePassword(acting(c), p); err != nil {
		return err
	}
	return send(c, newResponse(http.StatusOK, wire.CodeOK, "ok"))
}

// deleteMe is DELETE /v1/user.
func (s *Server) deleteMe(c echo.Context) error {
	return deleted(c, s.authority.Delete(acting(c), caller(c).UID))
}

// deleted returns err, or sends the success of a deletion or a revocation.
func deleted(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return send(c, newResponse(http.StatusAccepted, wire.CodeDeleted, "ok"))
}
