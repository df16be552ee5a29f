package handlers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
	"latchkey/models"
)

// access says whom a route lets through: the names of credentials, a kind and a scope.
type access []string

var (
	nobody   = access{}
	logins   = access{"login UserScope", "login AdminScope"}
	users    = append(access{"service UserScope", "service AdminScope"}, logins...)
	bearers  = append(access{"login read", "service read"}, users...)
	everyone = append(access{"none"}, bearers...)
	adminLog = access{"login AdminScope"}
	admins   = access{"login AdminScope", "service AdminScope"}
)

// accessCase is a request and whom its route lets through. In the target, UID and ID are the account
// and a token of another user, SELF and OWN those of the caller.
type accessCase struct {
	route, target, body string
	may                 access
}

// formBody is the body of a case whose route reads a form.
const formBody = "a=b"

// accessCases is the decision about every route. A route without one fails TestAccess.
func accessCases() []accessCase {
	return []accessCase{
		{"POST /v1/client/register", "", `{}`, everyone},
		{"POST /v1/token", "", `{}`, everyone},
		{"POST /v1/token/secret", "", `{}`, everyone},
		{"GET /v1/user", "", "", users},
		{"GET /v1/user/:uid", "/v1/user/SELF", "", users},
		{"GET /v1/user/:uid", "/v1/user/UID", "", admins},
		{"DELETE /v1/user", "", "", logins},
		{"DELETE /v1/user/:uid", "/v1/user/UID", "", adminLog},
		{"DELETE /v1/user/:uid", "/v1/user/SELF", "", adminLog},

		{"DELETE /v1/token", "", "", bearers},
		{"POST /v1/token/renew", "", "", logins},
		{"GET /v1/tokens", "", "", users},
		{"POST /v1/tokens", "", `{"label":"x","lifetime":60}`, logins},
		{"DELETE /v1/tokens", "", "", logins},
		{"DELETE /v1/tokens", "/v1/tokens?all=1", "", logins},
		{"DELETE /v1/tokens/:id", "/v1/tokens/OWN", "", logins},
		{"GET /v1/user/:uid/tokens", "/v1/user/UID/tokens", "", admins},
		{"GET /v1/user/:uid/tokens", "/v1/user/SELF/tokens", "", admins},
		{"DELETE /v1/user/:uid/tokens", "/v1/user/UID/tokens", "", admins},
		{"DELETE /v1/user/:uid/tokens", "/v1/user/SELF/tokens", "", adminLog},
		{"DELETE /v1/user/:uid/tokens", "/v1/user/SELF/tokens?all=1", "", adminLog},
		{"DELETE /v1/user/:uid/tokens/:id", "/v1/user/UID/tokens/ID", "", admins},
		{"DELETE /v1/user/:uid/tokens/:id", "/v1/user/SELF/tokens/OWN", "", adminLog},

		{"PUT /v1/user", "", `{"nickname":"Bob"}`, logins},
		{"PUT /v1/user/secret", "", `{"old":"x","new":"y"}`, logins},
		{"GET /v1/users", "", "", admins},
		{"PUT /v1/user/:uid", "/v1/user/UID", `{"state":"disabled"}`, admins},
		{"PUT /v1/user/:uid", "/v1/user/UID", `{"state":"active"}`, admins},
		{"PUT /v1/user/:uid", "/v1/user/UID", `{"role":"admin"}`, adminLog},
		{"PUT /v1/user/:uid", "/v1/user/UID", `{"role":"user","state":"active"}`, adminLog},
		{"PUT /v1/user/:uid", "/v1/user/UID", `{"nickname":"Bob"}`, adminLog},
		{"PUT /v1/user/:uid", "/v1/user/SELF", `{"state":"disabled"}`, adminLog},
		{"POST /v1/user/:uid/secret", "/v1/user/UID/secret", "", adminLog},
		{"POST /v1/user/:uid/secret", "/v1/user/SELF/secret", "", adminLog},

		{"GET /v1/verify", "", "", users},
		{"GET /v1/verify", "/v1/verify?scope=any", "", bearers},
		{"GET /v1/verify", "/v1/verify?scope=read", "", bearers},
		{"GET /v1/verify", "/v1/verify?scope=any&scope=UserScope", "", users},
		{"GET /v1/verify", "/v1/verify?scope=AdminScope", "", admins},
		{"GET /v1/verify", "/v1/verify?scope=unknown", "", nobody},

		{"GET /openapi.json", "", "", everyone},
		{"GET /healthz", "", "", everyone},
		{"GET /readyz", "", "", everyone},

		{"GET /", "", "", everyone},
		{"GET /login", "", "", everyone},
		{"POST /login", "", formBody, everyone},
		{"GET /register", "", "", everyone},
		{"POST /register", "", formBody, everyone},
		{"GET /setup", "", "", everyone},
		{"POST /setup", "", formBody, everyone},
		{"GET /reset", "", "", everyone},
		{"POST /reset", "", formBody, everyone},
		{"GET /account", "", "", users},
		{"POST /account/token", "", formBody, logins},
		{"POST /account/tokens", "", formBody, logins},
		{"POST /account/tokens/end", "", formBody, logins},
		{"POST /account/tokens/end-others", "", formBody, logins},
		{"POST /account/nickname", "", formBody, logins},
		{"POST /account/secret", "", formBody, logins},
		{"POST /logout", "", formBody, everyone},
		{"GET /static/:name", "/static/latchkey.css", "", everyone},
	}
}

// passes reports whether a route lets a request with a credential through. Owner and victim are new
// for each request, because many of the requests revoke tokens or delete accounts.
func (h *harness) passes(t *testing.T, test accessCase, credential string) bool {
	t.Helper()
	kind, scope, _ := strings.Cut(credential, " ")
	role := models.RoleUser
	if scope == "AdminScope" {
		role = models.RoleAdministrator
	}
	owner, victim := h.insert(role), h.insert(models.RoleUser)
	own, other := h.issue(owner, "login", "UserScope"), h.issue(victim, "login", "UserScope")
	_, target, _ := strings.Cut(test.route, " ")
	if test.target != "" {
		target = test.target
	}
	number := func(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }
	target = strings.NewReplacer("UID", number(victim), "SELF", number(owner),
		"OWN", h.idOf(own), "ID", h.idOf(other)).Replace(target)
	r := httptest.NewRequest(test.method(), target, strings.NewReader(test.body))
	r.Header.Set("Content-Type", "application/json")
	if test.body == formBody {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if credential != "none" {
		token := h.issue(owner, kind, scope)
		r.AddCookie(&http.Cookie{Name: wire.CookieName(false, false), Value: token})
	}
	w := h.send(r, "192.0.2.1:1")
	return !rejects(w)
}

// method returns the method of the case's route.
func (c accessCase) method() string {
	method, _, _ := strings.Cut(c.route, " ")
	return method
}

// rejects reports whether a response rejects the credential of its request.
func rejects(w *httptest.ResponseRecorder) bool {
	body := w.Body.String()
	return w.Code == http.StatusUnauthorized && strings.Contains(body, `"error_code":1002`) ||
		w.Code == http.StatusForbidden && strings.Contains(body, `"error_code":1004`) ||
		w.Code == http.StatusSeeOther && w.Header().Get("Location") == "/login?next=%2Faccount"
}

// insert creates an account, without the cost of a hash, and returns its uid.
func (h *harness) insert(role models.Role) uint32 {
	h.t.Helper()
	h.accounts++
	user, err := h.server.store.CreateUser(h.t.Context(), models.NewUser{Role: role,
		Account: fmt.Sprintf("user%d@example.com", h.accounts), ClientType: models.EMail,
		Nickname: "Ann", PasswordHash: "x"})
	must(h.t, err)
	return user.ID
}

// issue issues a token of a kind, login or service.
func (h *harness) issue(uid uint32, kind, scope string) string {
	h.t.Helper()
	r := auth.IssueRequest{UID: uid, Scope: scope}
	if kind == "service" {
		r.TTL, r.Label = time.Minute, "x"
	}
	issued, err := h.authority.IssueFor(h.t.Context(), r)
	must(h.t, err)
	return issued.Token
}

// TestAccess: each route lets through the kinds and scopes of tokens that accessCases names, and no
// other. Every route has a decision.
func TestAccess(t *testing.T) {
	h := newHarness(t, auth.Options{Scopes: []string{"read"}})
	decided := map[string]bool{}
	for _, test := range accessCases() {
		decided[test.route] = true
		for _, credential := range everyone {
			got := h.passes(t, test, credential)
			if want := slices.Contains(test.may, credential); got != want {
				t.Errorf("%s %s %s, %s: let through: %v, want %v", test.route, test.target, test.body,
					credential, got, want)
			}
		}
	}
	for _, route := range h.server.routes() {
		if name := route.method + " " + route.path; !decided[name] {
			t.Errorf("%s: nobody has decided which tokens it accepts; add it to accessCases", name)
		}
		delete(decided, route.method+" "+route.path)
	}
	for name := range decided {
		t.Errorf("%s: no such route", name)
	}
}
