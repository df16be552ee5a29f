//go:build e2e || torture || bench

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"latchkey/models/postgrestest"
)

// newCluster starts a PostgreSQL server for one test.
func newCluster(t testing.TB, settings ...string) *postgrestest.Cluster {
	t.Helper()
	c, err := postgrestest.New(context.Background(), append(settings, "max_connections=100")...)
	must(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// startNodes starts nodes on one new database of a cluster, each with its own data directory.
func startNodes(t testing.TB, c *postgrestest.Cluster, count int, args ...string) []*server {
	t.Helper()
	first := t.TempDir()
	usePostgres(t, c, first)
	nodes := []*server{start(t, first, args...)}
	for range count - 1 {
		nodes = append(nodes, start(t, nodeDir(t, first), args...))
	}
	return nodes
}

// nodeDir returns a data directory for another node on dir's database: the master key and the
// database's address.
func nodeDir(t testing.TB, dir string) string {
	t.Helper()
	other := t.TempDir()
	for _, name := range []string{"secret", "postgres"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(other, name), text, 0o600))
	}
	return other
}

// verifies returns whether a node accepts a token. Any status but 200 and 401 fails the test.
func verifies(t testing.TB, node *server, token string) bool {
	t.Helper()
	got := request(t, "GET", node.URL+"/v1/verify", "", bearer(token))
	if got.Status != 200 && got.Status != 401 {
		t.Errorf("verification: status %d, want 200 or 401: %s", got.Status, got.Body)
	}
	return got.Status == 200
}

// requireVerified requires that a node accepts a token.
func requireVerified(t testing.TB, node *server, token string) {
	t.Helper()
	if !verifies(t, node, token) {
		t.Fatal("a node rejects a valid token")
	}
}

// databaseName returns the name of the database that a data directory uses.
func databaseName(t *testing.T, dir string) string {
	t.Helper()
	address, err := os.ReadFile(filepath.Join(dir, "postgres"))
	must(t, err)
	return postgrestest.NameIn(string(address))
}
