package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"latchkey/auth"
)

// TestRegistrationClosed: nobody can register, by API or page, also if nothing was decided.
func TestRegistrationClosed(t *testing.T) {
	for _, registration := range []Registration{RegistrationClosed, ""} {
		h := newHarness(t, auth.Options{}, func(c *Config) { c.Registration = registration })
		body := `{"account":"ceo@example.com","secret":"secret1","type":100,"nickname":"Boss"}`
		got := h.ask("POST", "/v1/client/register", body)
		if got.Code != 403 || !strings.Contains(got.Body.String(), `"error_code":1004`) {
			t.Errorf("%q: status %d %s, want 403 with 1004", registration, got.Code, got.Body)
		}
		form := h.ask("POST", "/register", "account=ceo%40example.com&secret=secret1&nickname=Boss",
			"Content-Type: application/x-www-form-urlencoded")
		if form.Code != 403 {
			t.Errorf("%q: the form: status %d, want 403", registration, form.Code)
		}
		h.with(h.admin, "GET", "/v1/user/2", "", 404)
	}
}

// TestRegistrationApprove: an account that a stranger registered can do nothing until an
// administrator has approved it. Only who knows its password learns what it waits for.
func TestRegistrationApprove(t *testing.T) {
	h := newHarness(t, auth.Options{}, func(c *Config) { c.Registration = RegistrationApprove })
	bridge, err := auth.NewBridge(h.authority)
	must(t, err)
	const body = `{"account":"ceo@example.com","secret":"secret1","type":100,"nickname":"Boss"}`
	made := h.ask("POST", "/v1/client/register", body)
	if made.Code != 201 || !strings.Contains(made.Body.String(), "waits for approval") {
		t.Fatalf("registration: %d %s, want 201 and \"waits for approval\"", made.Code, made.Body)
	}
	requireRejected := func(password, msg string) {
		t.Helper()
		got := h.ask("POST", "/v1/token", strings.Replace(body, "secret1", password, 1))
		if got.Code != 401 || !strings.Contains(got.Body.String(), `"error_code":1005,"msg":"`+msg+`"`) ||
			got.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("login: %d %s, want 401 with 1005 and %q", got.Code, got.Body, msg)
		}
	}
	requireRejected("secret1", "the account waits for approval")
	requireRejected("secret2", "authorization failed")
	pair := auth.BasicCredential{User: "ceo@example.com", Password: "secret1"}
	if _, err := bridge.Verify(t.Context(), pair, "192.0.2.1"); err == nil {
		t.Error("the bridge accepts an account that waits for approval")
	}
	_, err = h.authority.IssueFor(t.Context(), auth.IssueRequest{UID: 2})
	if err == nil {
		t.Error("a token was issued for an account that waits for approval")
	}
	users, _ := h.with(h.admin, "GET", "/v1/users?state=pending", "", 200)["users"].([]any)
	if len(users) != 1 {
		t.Fatalf("%d accounts wait for approval, want 1: %v", len(users), users)
	}
	user, _ := users[0].(map[string]any)
	id, _ := user["id"].(float64)
	path := "/v1/user/" + strconv.Itoa(int(id))
	h.with(h.admin, "POST", path+"/secret", "", 404) // a reset link would be a way in
	h.with(h.admin, "PUT", path, `{"state":"disabled"}`, 200)
	requireRejected("secret1", "authorization failed")
	h.with(h.admin, "PUT", path, `{"state":"active"}`, 200)
	h.login("ceo@example.com", "secret1")
	h.with(h.admin, "GET", "/v1/users?state=waiting", "", 400)
}

// TestRegistrationApprovePage: the form says what happens, creates the account and leads to the
// login page, not to a session.
func TestRegistrationApprovePage(t *testing.T) {
	h := newHarness(t, auth.Options{}, func(c *Config) { c.Registration = RegistrationApprove })
	const asForm = "Content-Type: application/x-www-form-urlencoded"
	if page := h.ask("GET", "/register", "").Body.String(); !strings.Contains(page, "must approve") {
		t.Error("the form does not say that an administrator must approve the account")
	}
	got := h.ask("POST", "/register", "account=ceo%40example.com&secret=secret1&nickname=Boss", asForm)
	location := got.Header().Get("Location")
	if got.Code != http.StatusSeeOther || !strings.HasPrefix(location, "/login?pending") ||
		strings.Contains(strings.Join(got.Header().Values("Set-Cookie"), " "), "latchkey=") {
		t.Fatalf("status %d, Location %s, cookies %q, want 303 to /login without a session", got.Code,
			location, got.Header().Values("Set-Cookie"))
	}
	if page := h.ask("GET", location, "").Body.String(); !strings.Contains(page, "has approved it") {
		t.Error("the login page does not say that the account was created")
	}
	page := h.ask("POST", "/login", "account=ceo%40example.com&secret=secret1", asForm).Body.String()
	if !strings.Contains(page, "must approve this account") {
		t.Error("the login form does not say what the account waits for")
	}
}
