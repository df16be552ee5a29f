//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestBrowserDisabled: an administrator disables a user, whose open page ends at its next click.
func TestBrowserDisabled(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	admin := administrator(t, s)
	got := request(t, "PUT", s.URL+"/v1/user/1", `{"state":"disabled"}`, asJSON, bearer(admin))
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if !w.thrownOut() {
		t.Errorf("the user is at %s", w.path())
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#form-errors")
}

// TestBrowserPasswordReset: a link to set the secret works once, and looking at it does not spend it.
func TestBrowserPasswordReset(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	got := request(t, "POST", s.URL+"/v1/user/1/secret", "", bearer(administrator(t, s)))
	var answer struct{ Link string }
	must(t, json.Unmarshal([]byte(got.Body), &answer))
	path, ok := strings.CutPrefix(answer.Link, s.URL)
	if !ok {
		t.Fatalf("link %s", answer.Link)
	}
	for range 2 { // a scanner of mail
		if got := request(t, "GET", answer.Link, ""); got.Status != http.StatusOK {
			t.Errorf("a scanner: %d", got.Status)
		}
	}
	w.visit(path)
	w.submit(map[string]string{"secret": "short"}, "#secret-wrong")
	w.submit(map[string]string{"secret": "battery staple"}, `form[action="/login"]`)
	if got := w.text(".notice"); !strings.Contains(got, "Password changed.") {
		t.Errorf("%q", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"}, "#form-errors")
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"}, "#token-title")
	w.visit(path)
	if got := w.text("main"); !strings.Contains(got, "used already") {
		t.Errorf("the link again: %q", got)
	}
}

// TestBrowserChangesNicknameAndPassword: the nickname and the secret.
func TestBrowserChangesNicknameAndPassword(t *testing.T) {
	s := start(t, t.TempDir())
	w := open(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.unfold("Change your nickname")
	w.submitTo("/account/nickname", map[string]string{"nickname": "Anna"}, ".notice")
	if got := w.text(".who-name"); got != "Anna" {
		t.Errorf("called %q", got)
	}
	token := w.text("#token-text")
	w.unfold("Change your password")
	w.submitTo("/account/secret", map[string]string{"old": "wrong", "new": "battery staple"}, "#old-wrong")
	w.submitTo("/account/secret", map[string]string{"old": "correct horse", "new": "battery staple"},
		`form[action="/login"]`)
	if got := statusOf(t, s, token); got != http.StatusUnauthorized {
		t.Errorf("the old token: %d", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"}, "#token-title")
}
