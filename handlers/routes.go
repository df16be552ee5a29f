package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/models"
)

// route is one row of the route table. HEAD is answered wherever GET is.
type route struct {
	method, path string
	handler      echo.HandlerFunc
	guards       []echo.MiddlewareFunc // in the order in which they are asked
}

// routes is the one place where paths are named.
func (s *Server) routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	user, admin := s.authority.Require(models.UserScope), s.authority.Require(models.AdminScope)
	only := func(guards ...echo.MiddlewareFunc) []echo.MiddlewareFunc { return guards }
	return []route{
		// The API: contract and codes in docs/api.md.
		{post, "/v1/client/register", s.register, nil},
		{post, "/v1/token", s.login, nil},
		{post, "/v1/token/secret", s.introspect, nil},
		{get, "/v1/user", s.me, only(user)},
		{get, "/v1/user/:uid", s.user, only(plainUID, user)},
		{del, "/v1/user", s.deleteMe, only(user)},
		{del, "/v1/user/:uid", s.deleteUser, only(plainUID, admin)},
		{get, "/openapi.json", s.openAPI, nil},

		// Whether the server lives, and whether it can serve.
		{get, "/healthz", s.healthz, nil},
		{get, "/readyz", s.readyz, nil},

		// The pages.
		{get, "/", s.home, nil},
		{get, "/login", s.loginPage, nil},
		{post, "/login", s.loginForm, nil},
		{get, "/register", s.registerPage, nil},
		{post, "/register", s.registerForm, nil},
		{get, "/setup", s.setupPage, nil},
		{post, "/setup", s.setupForm, nil},
		{get, "/account", s.accountPage, nil},
		{post, "/account/token", s.freshToken, nil},
		{post, "/logout", s.logout, nil},
		{get, "/static/:name", s.asset, nil},
	}
}
