//go:build e2e || torture || bench

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"latchkey/models/postgrestest"
)

// newCluster is a PostgreSQL server of this test's own.
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

// startNodes starts so many nodes on one new database of a cluster, each with a data directory of its own.
func startNodes(t testing.TB, c *postgrestest.Cluster, count int, args ...string) []*server {
	t.Helper()
	first := t.TempDir()
	inPostgres(t, c, first)
	nodes := []*server{start(t, first, args...)}
	for range count - 1 {
		nodes = append(nodes, start(t, another(t, first), args...))
	}
	return nodes
}

// another is a data directory for one more node: the secret, and where the database is.
func another(t testing.TB, dir string) string {
	t.Helper()
	other := t.TempDir()
	for _, name := range []string{"secret", "postgres"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(other, name), text, 0o600))
	}
	return other
}

// verifies says whether a node accepts a token; what it answers besides is an error.
func verifies(t testing.TB, node *server, token string) bool {
	t.Helper()
	got := request(t, "GET", node.URL+"/v1/verify", "", bearer(token))
	if got.Status != 200 && got.Status != 401 {
		t.Errorf("verification: %d %s", got.Status, got.Body)
	}
	return got.Status == 200
}

// nameOf is the name of the database in the place of a data directory's.
func nameOf(t *testing.T, dir string) string {
	t.Helper()
	address, err := os.ReadFile(filepath.Join(dir, "postgres"))
	must(t, err)
	return postgrestest.NameIn(string(address))
}
