package handlers

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"latchkey/auth"
)

// TestProblemsAtOnce: a client learns of everything that parsing and validation find in one
// response. A field that could not be parsed has parsing's sentence alone, and nothing is done.
func TestProblemsAtOnce(t *testing.T) {
	h := newHarness(t, auth.Options{MaxTokenTTL: 3 * time.Hour})
	const text, whole, required = "This field must be text.", "This field must be a whole number.",
		"This field is required."
	tests := []struct {
		method, target, body string
		want                 map[string][]string
	}{
		{"POST", "/v1/client/register", `{"account":1,"secret":"1","nickname":"A","type":"x"}`,
			map[string][]string{"account": {text}, "secret": {"At least 6 characters."},
				"nickname": {"Field must be between 2 and 22 characters long."},
				"type":     {"'x' is not a valid ClientTypeEnum"}}},
		{"POST", "/v1/client/register", `{"account":"root@example.com","secret":[],"nickname":"Ann","type":100}`,
			map[string][]string{"secret": {text}}},
		{"POST", "/v1/token", `{"secret":1}`,
			map[string][]string{"account": {required}, "secret": {text}, "type": {required}}},
		{"POST", "/v1/tokens", `{"label":"","scope":1,"lifetime":1.5}`,
			map[string][]string{"label": {required}, "scope": {text}, "lifetime": {whole}}},
		{"POST", "/v1/tokens", `{"label":"x","scope":1,"lifetime":60}`, map[string][]string{"scope": {text}}},
		{"PUT", "/v1/user/1", `{"nickname":"","role":"king","state":1}`,
			map[string][]string{"nickname": {required}, "role": {"This must be user or admin."},
				"state": {text}}},
		{"PUT", "/v1/user/1", `{"nickname":"Rooty","state":1}`, map[string][]string{"state": {text}}},
		{"PUT", "/v1/user/1", `{}`, map[string][]string{"body": {"Give a role, a state or a nickname."}}},
		{"PUT", "/v1/user", `{"nickname":1}`, map[string][]string{"nickname": {text}}},
		{"PUT", "/v1/user/secret", `{"old":1,"new":"1"}`,
			map[string][]string{"old": {text}, "new": {"At least 6 characters."}}},
		{"PUT", "/v1/user/secret", `{"new":1}`, map[string][]string{"old": {required}, "new": {text}}},
	}
	for _, test := range tests {
		response := h.with(h.admin, test.method, test.target, test.body, http.StatusBadRequest)
		got, err := json.Marshal(response["msg"])
		must(t, err)
		want, err := json.Marshal(test.want)
		must(t, err)
		if string(got) != string(want) {
			t.Errorf("%s %s %s:\ngot  %s\nwant %s", test.method, test.target, test.body, got, want)
		}
	}
	if tokens := h.with(h.admin, "GET", "/v1/tokens", "", 200)["tokens"].([]any); len(tokens) != 1 {
		t.Errorf("%d tokens, want only the login's", len(tokens))
	}
	if name := h.with(h.admin, "GET", "/v1/user", "", 200)["nickname"]; name != "Root" {
		t.Errorf("nickname %q was set", name)
	}
}
