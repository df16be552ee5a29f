//go:build e2e || torture

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNodesMove: what is moved from SQLite to PostgreSQL goes on there, tokens and ended tokens alike, and comes back.
func TestNodesMove(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, cheapHashes...)
	token, ended := account(t, s, "ann@example.com"), login(t, s, "ann@example.com")
	revoke(t, s, ended)
	address, err := newCluster(t).Database(context.Background(), "template1")
	must(t, err)
	mustRun(t, dir, "", "--database", address, "migrate")
	if out := mustRun(t, dir, "", "move", "--from", dir, "--to", address, "--dry-run"); !strings.Contains(out, "tokens") {
		t.Error(out)
	}
	mustRun(t, dir, "", "move", "--from", dir, "--to", address)
	if got := request(t, "POST", s.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
		asJSON); got.Status != 503 {
		t.Errorf("a login where nothing is any more: %d %s", got.Status, got.Body)
	}
	must(t, s.stop(t))
	if _, said, code := latchkey(t, dir, "", "user", "list"); code != 1 || !strings.Contains(said, "was moved") {
		t.Errorf("exit %d, %s", code, said)
	}
	requireMoved := func(s *server) {
		t.Helper()
		if !verifies(t, s, token) || verifies(t, s, ended) {
			t.Error("the tokens are not as they were")
		}
		login(t, s, "ann@example.com")
	}
	node := startProgram(t, []string{"LATCHKEY_DATABASE=" + address}, binary, dir, cheapHashes...)
	requireMoved(node)
	back := filepath.Join(t.TempDir(), "data")
	if _, said, code := latchkey(t, dir, "", "move", "--from", address, "--to", back); code != 1 ||
		!strings.Contains(said, "stop them first") {
		t.Errorf("with a node: exit %d, %s", code, said)
	}
	must(t, node.stop(t))
	mustRun(t, dir, "", "move", "--from", address, "--to", back, "--dry-run")
	mustRun(t, dir, "", "move", "--from", address, "--to", back)
	secret, err := os.ReadFile(filepath.Join(dir, "secret"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(back, "secret"), secret, 0o600))
	requireMoved(start(t, back, cheapHashes...))
}
