package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/auth"
	"latchkey/models"
	"latchkey/models/modelstest"
)

// harness is a server in this process, with a new store and one administrator.
type harness struct {
	t         *testing.T
	server    *Server
	authority *auth.Authority
	admin     string // token
	accounts  int
}

func newHarness(t *testing.T, options auth.Options, configure ...func(*Config)) *harness {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	key, err := auth.CreateMasterKey(path)
	must(t, err)
	store, err := modelstest.Open(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	ring, err := auth.LoadKeyRing(t.Context(), store, key, path)
	must(t, err)
	if options.Lag == 0 {
		options.Lag = time.Hour // the follower does not run
	}
	options.Params = auth.Params{MemoryKiB: 7168, Time: 1, Threads: 1}
	authority, err := auth.NewAuthority(t.Context(), store, ring, options)
	must(t, err)
	config := Config{Store: store, Authority: authority, Logger: slog.New(slog.DiscardHandler),
		Registration: RegistrationOpen, MinPassword: 6}
	for _, change := range configure {
		change(&config)
	}
	h := &harness{t: t, authority: authority, server: New(config)}
	_, err = authority.Register(t.Context(), auth.Registration{Account: "root@example.com",
		Password: "secret1", Nickname: "Root", ClientType: models.EMail}, models.RoleAdministrator)
	must(t, err)
	h.admin = h.login("root@example.com", "secret1")
	return h
}

// frozen runs a test on a clock that stands still until the test sleeps.
func frozen(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 366 * 24 * time.Hour) // from 2000; a token's time has ten digits
		run(t)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask sends a request; headers are "Name: value".
func (h *harness) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

// with sends a request with a token, checks the status and decodes the response.
func (h *harness) with(token, method, target, body string, status int) map[string]any {
	h.t.Helper()
	w := h.ask(method, target, body, "Authorization: Bearer "+token)
	if w.Code != status {
		h.t.Fatalf("%s %s %s: %d %s, want %d", method, target, body, w.Code, w.Body, status)
	}
	var response map[string]any
	must(h.t, json.Unmarshal(w.Body.Bytes(), &response))
	return response
}

func (h *harness) login(account, password string) string {
	h.t.Helper()
	w := h.ask("POST", "/v1/token", fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, password))
	var response struct{ Token string }
	must(h.t, json.Unmarshal(w.Body.Bytes(), &response))
	if w.Code != http.StatusCreated {
		h.t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return response.Token
}

// newUser registers an account and logs in.
func (h *harness) newUser() (uid uint32, account, token string) {
	h.t.Helper()
	h.accounts++
	account = fmt.Sprintf("user%d@example.com", h.accounts)
	user, err := h.authority.Register(h.t.Context(), auth.Registration{Account: account,
		Password: "secret1", Nickname: "Ann", ClientType: models.EMail}, models.RoleUser)
	must(h.t, err)
	return user.ID, account, h.login(account, "secret1")
}

func (h *harness) idOf(token string) string {
	h.t.Helper()
	i, err := h.authority.Verify(token)
	must(h.t, err)
	return i.TokenID.String()
}

func (h *harness) send(r *http.Request, address string) *httptest.ResponseRecorder {
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}
