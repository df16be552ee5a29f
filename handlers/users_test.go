package handlers

import (
	"fmt"
	"testing"

	"latchkey/auth"
)

// TestChangeUser: what an administrator may change, and the errors of invalid input.
func TestChangeUser(t *testing.T) {
	h := newHarness(t, auth.Options{})
	uid, _, token := h.newUser()
	path := fmt.Sprintf("/v1/user/%d", uid)
	for body, want := range map[string]string{
		`{}`: "body:[Give a role, a state or a nickname.]", `{"role":"root"}`: "role:[This must be user or admin.]",
		`{"role":1}`: "role:[This field must be text.]", `{"state":"gone"}`: "state:[This must be active or disabled.]",
		`{"nickname":"x"}`: "nickname:[Field must be between 2 and 22 characters long.]",
	} {
		got := h.with(h.admin, "PUT", path, body, 400)
		if got["error_code"] != 1000.0 || fmt.Sprint(got["msg"]) != "map["+want+"]" {
			t.Errorf("%s: %v", body, got)
		}
	}
	if got := h.with(h.admin, "PUT", path, `{"nickname":"Bob","role":"user"}`, 200); got["nickname"] != "Bob" {
		t.Errorf("%v", got)
	}
	h.with(token, "GET", "/v1/user", "", 200) // the same role keeps the tokens
	if got := h.with(h.admin, "PUT", "/v1/user/1", `{"role":"user"}`, 409); got["error_code"] != 1103.0 {
		t.Errorf("the last administrator: %v", got)
	}
	for _, path := range []string{"/v1/user", "/v1/user/1"} {
		if got := h.with(h.admin, "DELETE", path, "", 409); got["error_code"] != 1103.0 {
			t.Errorf("the last administrator: %v", got)
		}
	}
	h.with(h.admin, "GET", "/v1/users", "", 200)
	h.with(h.admin, "PUT", path, `{"role":"admin"}`, 200)
	h.with(h.admin, "PUT", "/v1/user/1", `{"state":"disabled"}`, 200)
	h.with(h.admin, "GET", "/v1/users", "", 401)
}

// TestChangeMe: a new nickname keeps the tokens; a new password needs the old one and revokes
// them.
func TestChangeMe(t *testing.T) {
	h := newHarness(t, auth.Options{})
	_, account, token := h.newUser()
	if got := h.with(token, "PUT", "/v1/user", `{"nickname":"Äöü"}`, 200); got["nickname"] != "Äöü" {
		t.Errorf("%v", got)
	}
	for body, want := range map[string]string{
		`{}`:                               "map[new:[This field is required.] old:[This field is required.]]",
		`{"old":"wrong","new":"secret2"}`:  "map[old:[This is not your current password.]]",
		`{"old":"secret1","new":"short"}`:  "map[new:[At least 6 characters.]]",
		`{"old":["secret1"],"new":123456}`: "map[new:[This field must be text.] old:[This field must be text.]]",
	} {
		got := h.with(token, "PUT", "/v1/user/secret", body, 400)
		if fmt.Sprint(got["msg"]) != want {
			t.Errorf("%s: %v", body, got["msg"])
		}
	}
	h.with(token, "PUT", "/v1/user/secret", `{"old":"secret1","new":"secret2"}`, 200)
	h.login(account, "secret2")
	old := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100}`, account)
	if w := h.ask("POST", "/v1/token", old); w.Code != 401 {
		t.Errorf("the old password: %d", w.Code)
	}
}

// TestUserSearch: the search covers account and nickname and ignores case. A wildcard is an
// ordinary character.
func TestUserSearch(t *testing.T) {
	h := newHarness(t, auth.Options{})
	h.newUser()
	_, _, token := h.newUser()
	h.with(token, "PUT", "/v1/user", `{"nickname":"Ünal 100%"}`, 200)
	for query, want := range map[string]int{
		"": 3, "?q=USER": 2, "?q=ünal": 1, "?q=%C3%9CNAL": 1, "?q=%25": 1, "?q=_": 0, "?q=nobody": 0,
		"?limit=2": 2, "?after=2": 1, "?q=root%40": 1, `?q=%5C`: 0,
	} {
		if got := h.with(h.admin, "GET", "/v1/users"+query, "", 200)["users"].([]any); len(got) != want {
			t.Errorf("%s: %d users, want %d", query, len(got), want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?limit=1001", "?after=-1", "?after=x", "?q=%00", "?q=%ff"} {
		h.with(h.admin, "GET", "/v1/users"+query, "", 400)
	}
}
