package docs_test

import (
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"

	"latchkey/auth"
	"latchkey/handlers"
	"latchkey/models"
)

// newServer starts a server with a new database, one administrator, the scopes read and metrics,
// and trust in this machine's proxies. It returns the URL.
func newServer(t *testing.T, account, password, nickname string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	masterKey, err := auth.CreateMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := models.Open(t.Context(), dir, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ring, err := auth.LoadKeyRing(t.Context(), store, masterKey, path)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := auth.NewAuthority(t.Context(), store, ring,
		auth.Options{Scopes: []string{"read", "metrics"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = authority.Register(t.Context(), auth.Registration{Account: account, Password: password,
		Nickname: nickname, ClientType: models.EMail}, models.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handlers.New(handlers.Config{Store: store, Authority: authority,
		Logger: slog.New(slog.DiscardHandler), Registration: handlers.RegistrationOpen, MinPassword: 6,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestAPIDoc replays the examples of api.md.
func TestAPIDoc(t *testing.T) {
	replayAPIDoc(t, newServer(t, "admin@example.com", "correct horse battery", "Admin"))
}

// TestOpenAPI replays the recorded contract through openapi.json.
func TestOpenAPI(t *testing.T) {
	checkOpenAPI(t, newServer(t, "999@qq.com", "123456", "Super"))
}
