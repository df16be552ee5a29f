package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

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

// deleteMe is DELETE /v1/user: the caller's own account.
func (s *Server) deleteMe(c echo.Context) error {
	err := s.authority.Delete(c.Request().Context(), caller(c).UID)
	if errors.Is(err, models.ErrNotFound) {
		return wire.ErrTokenInvalid
	}
	return deleted(c, err)
}

func deleted(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return send(c, newResponse(http.StatusAccepted, wire.CodeDeleted, "ok"))
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
