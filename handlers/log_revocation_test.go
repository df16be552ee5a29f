package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/client/wire"
)

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns the lines with a message since the last call, as "name=value" of the given names.
func (l *lines) take(t *testing.T, msg string, names ...string) (found []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var attrs map[string]any
		must(t, json.Unmarshal([]byte(line), &attrs))
		if attrs["msg"] != msg {
			continue
		}
		var parts []string
		for _, name := range names {
			parts = append(parts, fmt.Sprintf("%s=%v", name, attrs[name]))
		}
		found = append(found, strings.Join(parts, " "))
	}
	l.b.Reset()
	return found
}

func newLogHarness(t *testing.T, options auth.Options) (*harness, *lines) {
	t.Helper()
	log := &lines{}
	options.Logger = slog.New(slog.NewJSONHandler(log, nil))
	return newHarness(t, options, func(c *Config) { c.Logger = options.Logger }), log
}

// TestLogNamesRevocations: each revocation is one line that names the token, who revoked it and
// why. Of many at once, ten are named and the others counted.
func TestLogNamesRevocations(t *testing.T) {
	h, log := newLogHarness(t, auth.Options{MaxTokens: 15})
	uid, account, token := h.newUser()
	id, admin, user := h.idOf(token), h.idOf(h.admin), fmt.Sprintf("/v1/user/%d", uid)
	check := func(what, msg string, want ...string) {
		t.Helper()
		names := []string{"token", "uid", "by", "reason"}
		if got := log.take(t, msg, names...); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	log.take(t, "")
	h.with(token, "POST", "/v1/token/renew", "", 201)
	check("a renewal", "token revoked",
		fmt.Sprintf("token=%s uid=<nil> by=token %s reason=renewed", id, id))
	h.with(h.admin, "DELETE", user+"/tokens/"+id, "", 202)
	check("an administrator", "token revoked",
		fmt.Sprintf("token=%s uid=<nil> by=token %s reason=revoked by an administrator", id, admin))
	h.with(h.admin, "PUT", user, `{"state":"disabled"}`, 200)
	check("a disabled account", "all tokens of a user revoked",
		fmt.Sprintf("token=<nil> uid=%d by=token %s reason=account disabled", uid, admin))
	h.with(h.admin, "PUT", user, `{"state":"active"}`, 200)
	first := h.idOf(h.login(account, "secret1"))
	for range 14 {
		h.login(account, "secret1")
	}
	log.take(t, "")
	last := h.login(account, "secret1")
	check("the limit", "token revoked", fmt.Sprintf("token=%s uid=<nil> by=a password or a link "+
		"reason=limit of tokens reached", first))
	h.with(last, "DELETE", "/v1/tokens", "", 202)
	if got := log.take(t, "more tokens revoked", "more"); strings.Join(got, "") != "more=4" {
		t.Errorf("14 tokens at once: %q, want more=4", got)
	}
	h.with(last, "DELETE", "/v1/user", "", 202)
	check("a deleted account", "all tokens of a user revoked",
		fmt.Sprintf("token=<nil> uid=%d by=token %s reason=account deleted", uid, h.lastID(last)))
}

// lastID returns the id of a token that is no longer valid.
func (h *harness) lastID(token string) string {
	h.t.Helper()
	in, err := h.authority.Inspect(h.t.Context(), token)
	must(h.t, err)
	return in.Identity.TokenID.String()
}

// TestLogNamesRejections: a failed login names its account if it exists, as it is stored, and a
// rejected token its id if its signature is right. Nothing else that was sent is in the log.
func TestLogNamesRejections(t *testing.T) { frozen(t, testLogNamesRejections) }

func testLogNamesRejections(t *testing.T) {
	h, log := newLogHarness(t, auth.Options{TokenTTL: time.Hour})
	uid, account, token := h.newUser()
	id := h.idOf(token)
	reject := func(what string, status int, want string, send func() int) {
		t.Helper()
		log.take(t, "")
		if got := send(); got != status {
			t.Errorf("%s: %d, want %d", what, got, status)
		}
		if got := log.take(t, "request", "account", "uid", "token"); strings.Join(got, "") != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	login := func(account, password string) func() int {
		return func() int {
			return h.ask("POST", "/v1/token", fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`,
				account, password)).Code
		}
	}
	bearer := func(token string) func() int {
		return func() int { return h.ask("GET", "/v1/user", "", "Authorization: Bearer "+token).Code }
	}
	known, nothing := fmt.Sprintf("account=%s uid=%d token=<nil>", account, uid),
		"account=<nil> uid=<nil> token=<nil>"
	reject("a wrong password", 401, known, login(strings.ToUpper(account), "wrong-1"))
	reject("in the form", 422, known, func() int {
		return h.ask("POST", "/login", "account="+account+"&secret=wrong-1",
			"Content-Type: application/x-www-form-urlencoded").Code
	})
	reject("a password as the account", 404, nothing, login("my-secret@password", "wrong-1"))
	for range 8 {
		login(account, "wrong-1")()
	}
	reject("too many attempts", 429, known, login(account, "wrong-1"))
	reject("a forged token", 401, nothing, bearer(strings.Repeat("A", len(token))))
	time.Sleep(time.Hour)
	rejected := "account=<nil> uid=<nil> token=" + id
	reject("an expired token", 401, rejected, bearer(token))
	reject("an expired session", 303, rejected, func() int {
		return h.ask("GET", "/account", "", "Cookie: "+wire.CookieName(false, false)+"="+token).Code
	})
	h.admin = h.login("root@example.com", "secret1")
	revoked := h.admin
	rejected = "account=<nil> uid=<nil> token=" + h.idOf(revoked)
	h.with(h.admin, "DELETE", "/v1/token", "", 202)
	reject("a revoked token", 401, rejected, bearer(revoked))
}
