package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"latchkey/client/wire"
	"latchkey/models"
)

// route is one row of the route table. HEAD works wherever GET does.
type route struct {
	method, path string
	handler      echo.HandlerFunc
	guards       []echo.MiddlewareFunc // the first runs first
}

func only(guards ...echo.MiddlewareFunc) []echo.MiddlewareFunc { return guards }

// routes returns the route table. No other place names a path of the API.
func (s *Server) routes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	anyToken := s.authority.Require(models.AnyScope, models.AnyKind)
	user := s.authority.Require(models.UserScope, models.AnyKind)
	userLogin := s.authority.Require(models.UserScope, models.LoginToken)
	admin := s.authority.Require(models.AdminScope, models.AnyKind)
	adminLogin := s.authority.Require(models.AdminScope, models.LoginToken)
	verifier := anyToken
	if s.config.Bridge != nil {
		verifier = s.config.Bridge.Require(models.AnyScope)
	}
	return append(s.pages(), []route{
		// The contract's API. docs/reference/api.md describes it and the error codes.
		{post, "/v1/client/register", s.register, only(s.registrationOpen)},
		{post, "/v1/token", s.login, nil},
		{post, "/v1/token/secret", s.introspect, nil},
		{get, "/v1/user", s.me, only(user, ownAccount)},
		{get, "/v1/user/:uid", s.user, only(plainUID, user)},
		{del, "/v1/user", s.deleteMe, only(userLogin, ownAccount)},
		{del, "/v1/user/:uid", s.deleteUser, only(plainUID, adminLogin)},

		// Tokens.
		{del, "/v1/token", s.revokeToken, only(anyToken)},
		{post, "/v1/token/renew", s.renew, only(userLogin)},
		{get, "/v1/tokens", s.myTokens, only(user)},
		{post, "/v1/tokens", s.createToken, only(userLogin)},
		{del, "/v1/tokens", s.revokeMyTokens, only(userLogin)},
		{del, "/v1/tokens/:id", s.revokeMyToken, only(userLogin)},
		{get, "/v1/user/:uid/tokens", s.userTokens, only(plainUID, admin)},
		{del, "/v1/user/:uid/tokens", s.revokeUserTokens, only(plainUID, admin, s.ownByLogin)},
		{del, "/v1/user/:uid/tokens/:id", s.revokeUserToken, only(plainUID, admin, s.ownByLogin)},

		// Accounts.
		{put, "/v1/user", s.changeMe, only(userLogin, ownAccount)},
		{put, "/v1/user/secret", s.changeMyPassword, only(userLogin, ownAccount)},
		{get, "/v1/users", s.users, only(admin)},
		{put, "/v1/user/:uid", s.changeUser, only(plainUID, admin, s.ownByLogin)},
		{post, "/v1/user/:uid/secret", s.resetLink, only(plainUID, adminLogin)},

		// For reverse proxies, with any method.
		{get, wire.VerifyPath, s.verify, only(s.redirectToLogin, verifier)},

		// For tools and operators.
		{get, "/openapi.json", s.openAPI, nil},
		{get, "/healthz", s.healthz, nil},
		{get, "/readyz", s.readyz, nil},
	}...)
}

// pages returns the rows of the browser pages.
func (s *Server) pages() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/", s.home, nil},
		{get, "/login", s.loginPage, nil},
		{post, "/login", s.loginForm, only(form)},
		{get, "/register", s.registerPage, only(s.registrationOpen)},
		{post, "/register", s.registerForm, only(s.registrationOpen, form)},
		{get, "/setup", s.setupPage, nil},
		{post, "/setup", s.setupForm, only(form)},
		{get, "/reset", s.resetPage, nil},
		{post, "/reset", s.resetForm, only(form)},
		{get, "/account", s.accountPage, only(s.signedIn, ownAccount)},
		{post, "/account/token", s.newSessionToken, only(s.signedIn, s.byLogin, form)},
		{post, "/account/tokens", s.createServiceToken, only(s.signedIn, s.byLogin, form, ownAccount)},
		{post, "/account/tokens/end", s.revokeOne, only(s.signedIn, s.byLogin, form)},
		{post, "/account/tokens/end-others", s.revokeOthers, only(s.signedIn, s.byLogin, form)},
		{post, "/account/nickname", s.rename, only(s.signedIn, s.byLogin, form, ownAccount)},
		{post, "/account/secret", s.changePassword, only(s.signedIn, s.byLogin, form, ownAccount)},
		{post, "/logout", s.logout, nil},
		{get, "/static/:name", s.asset, nil},
	}
}
