package docs_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The steps of TestOperations, in its order.

// open calls what needs no token: exactly the operations described so respond without 401.
func (w walk) open(t *testing.T) {
	t.Helper()
	for path, item := range w.spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			status, text := send(t, w.spec, w.request(t, method+" "+path, nil))
			if !guarded(operation) && status == 401 {
				t.Errorf("%s %s: %s", method, path, text)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		w.ask(t, 200, "GET "+path, "", nil)
	}
	w.invalid(t, "POST /v1/token/secret", "", fields{}, "token")
	w.invalid(t, "POST /v1/client/register", "", fields{"type": 100},
		"account", "nickname", "secret")
}

// carry sends a token in each of the accepted places, and the cookie under both of its names.
func (w walk) carry(t *testing.T, token string) {
	t.Helper()
	for header, value := range map[string]string{
		"Authorization": "Bearer " + token,
		"Cookie":        "latchkey=" + token,
	} {
		req := w.request(t, "GET /v1/user", nil)
		req.Header.Set(header, value)
		w.send(t, 200, req)
	}
	verify := w.request(t, "GET /v1/verify?scope=UserScope", nil)
	verify.Header.Set("Authorization", "Bearer "+token)
	if got, text := send(t, w.spec, verify); got != 200 || len(text) > 0 {
		t.Errorf("verify: %d %s", got, text)
	}
	req := w.request(t, "GET /v1/user", nil)
	req.Header.Set("Cookie", "__Host-latchkey="+token)
	w.send(t, 401, req.Clone(t.Context()))
	req.Header.Set("X-Forwarded-Proto", "https")
	w.send(t, 200, req)
}

// program creates service tokens and tries what they may not do.
func (w walk) program(t *testing.T, token string) {
	t.Helper()
	const line = "POST /v1/tokens"
	w.invalid(t, line, token, fields{}, "label", "lifetime")
	w.invalid(t, line, token, fields{"label": "x", "scope": "AdminScope", "lifetime": 60}, "scope")
	w.invalid(t, line, token, fields{"label": "x", "scope": "write", "lifetime": 60}, "scope")
	w.invalid(t, line, token, fields{"label": strings.Repeat("x", 65), "lifetime": 0},
		"label", "lifetime")

	wide := w.ask(t, 201, line, token, fields{"label": "CI", "lifetime": 3600})
	if got := wide.text("scope"); got != "UserScope" {
		t.Errorf("scope %s, want UserScope", got)
	}
	made := wide.text("token")
	for _, line := range []string{line, "POST /v1/token/renew"} {
		msg := w.refuse(t, 403, "1004", line, made, fields{"label": "x", "lifetime": 60})
		if msg != "this requires a login token" {
			t.Errorf("%s: %v", line, msg)
		}
	}
	w.ask(t, 202, "DELETE /v1/tokens/"+wide.text("id"), token, nil)
	w.requireRevoked(t, made)

	made = w.ask(t, 201, line, token,
		fields{"label": "scraper", "scope": "metrics", "lifetime": 60}).text("token")
	w.refuse(t, 403, "1004", "GET /v1/tokens", made, nil)
	look := w.ask(t, 200, "POST /v1/token/secret", "", fields{"token": made})
	if got := look.text("scope"); got != "metrics" {
		t.Errorf("scope %s, want metrics", got)
	}
	w.ask(t, 202, "DELETE /v1/token", made, nil)
	w.requireRevoked(t, made)
}

// renew renews a token, which stays valid for a while.
func (w walk) renew(t *testing.T, token string) {
	t.Helper()
	fresh := w.ask(t, 201, "POST /v1/token/renew", token, nil).text("token")
	if fresh == token {
		t.Error("renewal gave the same token")
	}
	w.ask(t, 200, "GET /v1/user", token, nil)
	w.ask(t, 200, "GET /v1/user", fresh, nil)
}

// list reads the list of tokens page by page.
func (w walk) list(t *testing.T, token string) {
	t.Helper()
	for range 2 {
		w.login(t, "alice@example.com", password)
	}
	w.invalid(t, "GET /v1/tokens?limit=1001&before=x", token, nil, "before", "limit")
	var ids []string
	current := 0
	for line, more := "GET /v1/tokens?limit=1", true; more; {
		page := w.ask(t, 200, line, token, nil)
		for _, row := range page.rows("tokens") {
			ids = append(ids, row.text("id"))
			if row["current"] == true {
				current++
			}
		}
		_, more = page["next"]
		line = "GET /v1/tokens?limit=1&before=" + page.text("next")
	}
	if len(ids) != 3 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 3 || current != 1 {
		t.Errorf("tokens %v, %d current", ids, current)
	}
}

// revokeMany revokes the other tokens, then all.
func (w walk) revokeMany(t *testing.T) {
	t.Helper()
	one := w.login(t, "alice@example.com", password)
	other := w.login(t, "alice@example.com", password)
	w.ask(t, 202, "DELETE /v1/tokens", one, nil)
	w.requireRevoked(t, other)
	id := w.ask(t, 200, "GET /v1/tokens", one, nil).rows("tokens")[0].text("id")
	w.refuse(t, 404, "1001", "DELETE /v1/tokens/1-1-1", one, nil)
	w.ask(t, 202, "DELETE /v1/tokens?all=1", one, nil)
	w.requireRevoked(t, one)
	again := w.login(t, "alice@example.com", password)
	w.ask(t, 202, "DELETE /v1/tokens/"+id, again, nil) // revoked already
}

// change changes an account's nickname and password, and changes the password back.
func (w walk) change(t *testing.T) {
	t.Helper()
	const line = "PUT /v1/user/secret"
	alice := w.login(t, "alice@example.com", password)
	w.invalid(t, "PUT /v1/user", alice, fields{}, "nickname")
	user := w.ask(t, 200, "PUT /v1/user", alice, fields{"nickname": "Alicia"})
	if got := w.ask(t, 200, "GET /v1/user/"+user.text("id"), alice, nil); got["nickname"] != "Alicia" {
		t.Errorf("nickname %v", got["nickname"])
	}
	w.invalid(t, line, alice, fields{"new": "short"}, "new", "old")
	w.invalid(t, line, alice, fields{"old": "not it", "new": "battery staple"}, "old")
	w.ask(t, 200, line, alice, fields{"old": password, "new": "battery staple"})
	w.requireRevoked(t, alice)
	alice = w.login(t, "alice@example.com", "battery staple")
	w.ask(t, 200, line, alice, fields{"old": "battery staple", "new": password})
}

// search lists the users page by page and by a text.
func (w walk) search(t *testing.T, admin string) {
	t.Helper()
	w.invalid(t, "GET /v1/users?limit=0&after=x", admin, nil, "after", "limit")
	page := w.ask(t, 200, "GET /v1/users?limit=2", admin, nil)
	if got := len(page.rows("users")); got != 2 {
		t.Errorf("%d users, want 2", got)
	}
	page = w.ask(t, 200, "GET /v1/users?limit=2&after="+page.text("next"), admin, nil)
	if _, more := page["next"]; more || len(page.rows("users")) != 1 {
		t.Errorf("last page: %v", page)
	}
	if got := w.find(t, admin, "ALICIA")["account"]; got != "alice@example.com" {
		t.Errorf("account %v", got)
	}
}

// find returns the one user whose account or nickname contains a text.
func (w walk) find(t *testing.T, admin, text string) fields {
	t.Helper()
	users := w.ask(t, 200, "GET /v1/users?q="+text, admin, nil).rows("users")
	if len(users) != 1 {
		t.Fatalf("%d users hold %q", len(users), text)
	}
	return users[0]
}

// administer changes a user's role and state, and revokes the user's tokens.
func (w walk) administer(t *testing.T, admin string) {
	t.Helper()
	alice := w.login(t, "alice@example.com", password)
	path := "/v1/user/" + w.find(t, admin, "alice").text("id")
	w.invalid(t, "PUT "+path, admin, fields{"role": "root", "state": "gone", "nickname": "A"},
		"nickname", "role", "state")
	w.ask(t, 200, "PUT "+path, admin, fields{"nickname": "Alice"})
	w.ask(t, 200, "GET "+path, alice, nil)
	w.ask(t, 200, "PUT "+path, admin, fields{"role": "admin"})
	w.requireRevoked(t, alice)
	w.ask(t, 200, "PUT "+path, admin, fields{"role": "user", "state": "disabled"})
	msg := w.refuse(t, 409, "1103", "PUT /v1/user/1", admin, fields{"role": "user"})
	if msg != "this is the last active administrator" {
		t.Errorf("the last administrator: %v", msg)
	}
	w.refuse(t, 409, "1103", "PUT /v1/user/1", admin, fields{"state": "disabled"})
	w.refuse(t, 401, "1005", "POST /v1/token", "",
		fields{"account": "alice@example.com", "secret": password, "type": 100})
	w.ask(t, 200, "PUT "+path, admin, fields{"state": "active"})

	alice = w.login(t, "alice@example.com", password)
	id := w.ask(t, 200, "GET "+path+"/tokens", admin, nil).rows("tokens")[0].text("id")
	w.ask(t, 202, "DELETE "+path+"/tokens/"+id, admin, nil)
	w.requireRevoked(t, alice)
	alice = w.login(t, "alice@example.com", password)
	w.ask(t, 202, "DELETE "+path+"/tokens", admin, nil)
	w.requireRevoked(t, alice)
	w.ask(t, 202, "DELETE /v1/user/1/tokens", admin, nil) // all but this one
	for _, line := range []string{"GET /v1/user/9/tokens", "DELETE /v1/user/9/tokens",
		"DELETE /v1/user/9/tokens/9-1-1", "DELETE " + path + "/tokens/1-1-1", "GET /v1/user/9"} {
		w.refuse(t, 404, "1001", line, admin, nil)
	}
}

// reset creates a link to reset a password, and opens it.
func (w walk) reset(t *testing.T, admin string) {
	t.Helper()
	path := "/v1/user/" + w.find(t, admin, "alice").text("id")
	link := w.ask(t, 201, "POST "+path+"/secret", admin, nil).text("link")
	if !strings.HasPrefix(link, w.base+"/reset?token=") {
		t.Errorf("link %s", link)
	}
	res, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("the link leads to status %d", res.StatusCode)
	}
	w.refuse(t, 404, "1001", "POST /v1/user/9/secret", admin, nil)
}

// remove deletes the registered accounts, one by its owner and one by the administrator.
func (w walk) remove(t *testing.T, admin string) {
	t.Helper()
	alice := w.login(t, "alice@example.com", password)
	w.ask(t, 202, "DELETE /v1/user", alice, nil)
	w.requireRevoked(t, alice)
	path := "/v1/user/" + w.find(t, admin, "bob").text("id")
	w.ask(t, 202, "DELETE "+path, admin, nil)
	w.refuse(t, 404, "1001", "DELETE "+path, admin, nil)
	w.refuse(t, 404, "1001", "PUT "+path, admin, fields{"state": "active"})
}
