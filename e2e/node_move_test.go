//go:build e2e || torture

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodesMove moves a data directory from SQLite to PostgreSQL and back. Valid tokens stay valid
// and revoked ones stay revoked. The source answers 503 and takes no commands.
func TestNodesMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir, cheapHashes...)
	token, revoked := account(t, s, "ann@example.com"), login(t, s, "ann@example.com")
	revoke(t, s, revoked)
	address, err := newCluster(t).Database(context.Background(), "template1")
	must(t, err)
	mustRun(t, dir, "", "--database", address, "migrate")
	out := mustRun(t, dir, "", "move", "--from", dir, "--to", address, "--dry-run")
	if !strings.Contains(out, "tokens") {
		t.Errorf("move --dry-run prints %q, want a line for tokens", out)
	}
	mustRun(t, dir, "", "move", "--from", dir, "--to", address)
	got := requestOnce(t, "POST", s.URL+"/v1/token", loginJSON("ann@example.com", "secret1"), asJSON)
	checkStatus(t, "a login at the source of the move", got, 503)
	must(t, s.stop(t))
	checkFails(t, "was moved", dir, "user", "list")
	requireMoved := func(s *server) {
		t.Helper()
		if valid, accepted := verifies(t, s, token), verifies(t, s, revoked); !valid || accepted {
			t.Errorf("valid token accepted: %v, revoked token accepted: %v", valid, accepted)
		}
		login(t, s, "ann@example.com")
	}
	node := startProgram(t, []string{"LATCHKEY_DATABASE=" + address}, binary, dir, cheapHashes...)
	requireMoved(node)
	back := filepath.Join(t.TempDir(), "data")
	checkFails(t, "stop them first", dir, "move", "--from", address, "--to", back)
	must(t, node.stop(t))
	mustRun(t, dir, "", "move", "--from", address, "--to", back, "--dry-run")
	mustRun(t, dir, "", "move", "--from", address, "--to", back)
	key, err := os.ReadFile(filepath.Join(dir, "secret"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(back, "secret"), key, 0o600))
	requireMoved(start(t, back, cheapHashes...))
}
