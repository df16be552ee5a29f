package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
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
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	holder := s.authority.Require(models.AnyScope)
	user, admin := s.authority.Require(models.UserScope), s.authority.Require(models.AdminScope)
	verifier := holder
	if s.config.Bridge != nil {
		verifier = s.config.Bridge.Require(models.AnyScope)
	}
	only := func(guards ...echo.MiddlewareFunc) []echo.MiddlewareFunc { return guards }
	return append(s.pages(), []route{
		// The API: contract and codes in docs/reference/api.md.
		{post, "/v1/client/register", s.register, nil},
		{post, "/v1/token", s.login, nil},
		{post, "/v1/token/secret", s.introspect, nil},
		{get, "/v1/user", s.me, only(user)},
		{get, "/v1/user/:uid", s.user, only(plainUID, user)},
		{del, "/v1/user", s.deleteMe, only(user)},
		{del, "/v1/user/:uid", s.deleteUser, only(plainUID, admin)},

		// Tokens: seen, made for programs, renewed, ended.
		{del, "/v1/token", s.revokeToken, only(holder)},
		{post, "/v1/token/renew", s.renew, only(user)},
		{get, "/v1/tokens", s.myTokens, only(user)},
		{post, "/v1/tokens", s.createToken, only(user)},
		{del, "/v1/tokens", s.revokeMyTokens, only(user)},
		{del, "/v1/tokens/:id", s.revokeMyToken, only(user)},
		{get, "/v1/user/:uid/tokens", s.userTokens, only(plainUID, admin)},
		{del, "/v1/user/:uid/tokens", s.revokeUserTokens, only(plainUID, admin)},
		{del, "/v1/user/:uid/tokens/:id", s.revokeUserToken, only(plainUID, admin)},

		// Accounts: changed by their owners and by administrators.
		{put, "/v1/user", s.changeMe, only(user)},
		{put, "/v1/user/secret", s.changeMyPassword, only(user)},
		{get, "/v1/users", s.users, only(admin)},
		{put, "/v1/user/:uid", s.changeUser, only(plainUID, admin)},
		{post, "/v1/user/:uid/secret", s.resetLink, only(plainUID, admin)},

		// For reverse proxies, with any method.
		{get, wire.VerifyPath, s.verify, only(s.redirectToLogin, verifier)},

		// The description of all this, for programs.
		{get, "/openapi.json", s.openAPI, nil},

		// Whether the server lives, and whether it can serve.
		{get, "/healthz", s.healthz, nil},
		{get, "/readyz", s.readyz, nil},
	}...)
}

// pages is the rows of routes for people.
func (s *Server) pages() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/", s.home, nil},
		{get, "/login", s.loginPage, nil},
		{post, "/login", s.loginForm, nil},
		{get, "/register", s.registerPage, nil},
		{post, "/register", s.registerForm, nil},
		{get, "/setup", s.setupPage, nil},
		{post, "/setup", s.setupForm, nil},
		{get, "/reset", s.resetPage, nil},
		{post, "/reset", s.resetForm, nil},
		{get, "/account", s.signedIn(s.accountPage), nil},
		{post, "/account/token", s.signedIn(s.freshToken), nil},
		{post, "/account/tokens", s.signedIn(s.createServiceToken), nil},
		{post, "/account/tokens/end", s.signedIn(s.revokeOne), nil},
		{post, "/account/tokens/end-others", s.signedIn(s.revokeOthers), nil},
		{post, "/account/nickname", s.signedIn(s.rename), nil},
		{post, "/account/secret", s.signedIn(s.changePassword), nil},
		{post, "/logout", s.logout, nil},
		{get, "/static/:name", s.asset, nil},
	}
}
