//go:build e2e

package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestBrowserDisabled disables a signed-in user, whose browser is signed out at the next click.
func TestBrowserDisabled(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	admin := administrator(t, s)
	got := request(t, "PUT", s.URL+"/v1/user/1", `{"state":"disabled"}`, asJSON, bearer(admin))
	if got.Status != http.StatusOK {
		t.Fatalf("disabling: status %d, want 200: %s", got.Status, got.Body)
	}
	if !w.isSignedOut() {
		t.Errorf("the user is at %s, want the login page", w.path())
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"},
		"#form-errors")
}

// TestBrowserPasswordReset sets a password with a reset link, which works once. Opening it does not
// use it up.
func TestBrowserPasswordReset(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	got := request(t, "POST", s.URL+"/v1/user/1/secret", "", bearer(administrator(t, s)))
	var reset struct{ Link string }
	must(t, json.Unmarshal([]byte(got.Body), &reset))
	path, ok := strings.CutPrefix(reset.Link, s.URL)
	if !ok {
		t.Fatalf("the link %s does not begin with %s", reset.Link, s.URL)
	}
	for range 2 { // as a mail scanner does
		checkStatus(t, "the reset link", request(t, "GET", reset.Link, ""), http.StatusOK)
	}
	w.visit(path)
	w.submit(map[string]string{"secret": "short"}, "#secret-wrong")
	w.submit(map[string]string{"secret": "battery staple"}, `form[action="/login"]`)
	if got := w.text(".notice"); !strings.Contains(got, "Password changed.") {
		t.Errorf("the page shows %q, want \"Password changed.\"", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "correct horse"},
		"#form-errors")
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"},
		"#token-title")
	w.visit(path)
	if got := w.text("main"); !strings.Contains(got, "used already") {
		t.Errorf("the used link shows %q", got)
	}
}

// TestBrowserChangesNicknameAndPassword changes both on the account page. The new password revokes
// the tokens.
func TestBrowserChangesNicknameAndPassword(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	w.unfold("Change your nickname")
	w.submitTo("/account/nickname", map[string]string{"nickname": "Anna"}, ".notice")
	if got := w.text(".who-name"); got != "Anna" {
		t.Errorf("the nickname is shown as %q, want Anna", got)
	}
	token := w.text("#token-text")
	w.unfold("Change your password")
	w.submitTo("/account/secret", map[string]string{"old": "wrong", "new": "battery staple"},
		"#old-wrong")
	w.submitTo("/account/secret", map[string]string{"old": "correct horse", "new": "battery staple"},
		`form[action="/login"]`)
	if got := statusOf(t, s, token); got != http.StatusUnauthorized {
		t.Errorf("the old token: status %d, want 401", got)
	}
	w.submit(map[string]string{"account": "ann@example.com", "secret": "battery staple"},
		"#token-title")
}
