//go:build e2e || torture

package e2e_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// TestNodesWithoutDatabase stops PostgreSQL. A node verifies tokens until its revocation lag has
// passed, and answers 503 to everything that needs the database. Once PostgreSQL is back the nodes
// work again.
func TestNodesWithoutDatabase(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := startNodes(t, c, 1, append(cheapHashes, "--revocation-lag", "1h")...)[0]
	hasty := start(t, nodeDir(t, node.Dir), append(cheapHashes, "--revocation-lag", "3s")...)
	token := account(t, node, "ann@example.com")
	for _, each := range []*server{node, hasty} { // they cache the account
		awaitVerified(t, each, token)
	}
	must(t, c.Stop(syscall.SIGQUIT))
	began := time.Now()
	asked := time.Now()
	got := requestOnce(t, "POST", node.URL+"/v1/token", loginJSON("ann@example.com", "secret1"), asJSON)
	requireWithin(t, "a login", time.Since(asked), 2500*time.Millisecond)
	checkStatus(t, "a login", got, 503)
	await(t, "verification to stop", func() bool {
		return requestOnce(t, "GET", hasty.URL+"/v1/verify", "", bearer(token)).Status == 503
	})
	requireWithin(t, "until verification stopped", time.Since(began), 6*time.Second)
	if !verifies(t, node, token) {
		t.Error("the node rejects a valid token within the revocation lag")
	}
	checkStatus(t, "/readyz", requestOnce(t, "GET", node.URL+"/readyz", ""), 503)
	must(t, c.Start(context.Background()))
	for _, each := range []*server{node, hasty} {
		await(t, "a node to be ready", func() bool { return answered(each.URL + "/readyz") })
		awaitVerified(t, each, token)
	}
	login(t, node, "ann@example.com")
}

// awaitVerified waits until a node accepts a token.
func awaitVerified(t *testing.T, node *server, token string) {
	t.Helper()
	await(t, "a node to accept the token", func() bool {
		return requestOnce(t, "GET", node.URL+"/v1/verify", "", bearer(token)).Status == 200
	})
}

// TestNodesPostgresRestarts stops PostgreSQL as a crash would and starts it again, under load.
// Nothing that was acknowledged is lost, and verification never fails.
func TestNodesPostgresRestarts(t *testing.T) {
	t.Parallel()
	postgresRestarts(t, 5)
}

// postgresRestarts restarts PostgreSQL several times.
func postgresRestarts(t *testing.T, times int) {
	c := newCluster(t)
	nodes := startNodes(t, c, 2, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other node to know the key", func() bool { return verifies(t, nodes[1], token) })
	load, writers := &verifiers{}, &writers{}
	load.verify(t, nodes, token)
	writers.start(t, nodes)
	var back []time.Duration
	for range times {
		writers.await(t, 5)
		must(t, c.Stop(syscall.SIGQUIT))
		must(t, c.Start(context.Background()))
		began := time.Now()
		writers.await(t, 1)
		back = append(back, time.Since(began))
	}
	writers.finish(t, nodes)
	if t.Failed() {
		t.Logf("%s\n%s", nodes[0].out, nodes[1].out)
	}
	t.Logf("%d restarts, %d accounts acknowledged, %d requests answered 503, slowest response %v, "+
		"%d verifications; first write afterwards: %v", times, len(writers.accounts), writers.refused.Load(),
		time.Duration(writers.longest.Load()).Round(time.Millisecond), load.stop(), quantilesOf(back))
}

// TestNodesNoConnections uses up all of PostgreSQL's connections. The node answers every request
// within 2.5 seconds.
func TestNodesNoConnections(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := startNodes(t, c, 1, append(slices.Clone(lenient), "--database-connections", "2")...)[0]
	token := account(t, node, "ann@example.com")
	var others []*exec.Cmd
	defer func() {
		for _, other := range others {
			_ = other.Process.Kill()
			_ = other.Wait()
		}
	}()
	for range 120 {
		psql := c.Command(context.Background(), "psql", "-X", "-q", "-h", c.Dir, "-U", "postgres", "-c",
			"SELECT pg_sleep(3600)")
		must(t, psql.Start())
		others = append(others, psql)
	}
	await(t, "the connections to be used up", func() bool {
		out, err := c.SQL(context.Background(), "postgres", "SELECT 1")
		return err != nil && strings.Contains(err.Error()+out, "too many clients")
	})
	for range 20 {
		began := time.Now()
		got := requestOnce(t, "POST", node.URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
			asJSON)
		if got.Status != 201 && got.Status != 503 {
			t.Errorf("a login: status %d, want 201 or 503: %s", got.Status, got.Body)
		}
		requireWithin(t, "a login", time.Since(began), 2500*time.Millisecond)
	}
	got := requestOnce(t, "GET", node.URL+"/v1/user", "", bearer(token))
	if got.Status != 200 && got.Status != 503 {
		t.Errorf("GET /v1/user: status %d, want 200 or 503: %s", got.Status, got.Body)
	}
}

// TestNodesWait locks tables for longer than a request would wait. A command and a server that starts
// wait, and succeed once the lock is gone.
func TestNodesWait(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := startNodes(t, c, 1, cheapHashes...)[0]
	token := account(t, node, "ann@example.com")
	database := databaseName(t, node.Dir)
	released := holdUntilWaited(t, c, database, "UPDATE users SET nickname = nickname")
	mustRun(t, node.Dir, "", "user", "disable", "ann@example.com")
	must(t, <-released)
	await(t, "the node to reject the token", func() bool { return !verifies(t, node, token) })
	released = holdUntilWaited(t, c, database, "LOCK TABLE keys IN ACCESS EXCLUSIVE MODE")
	start(t, nodeDir(t, node.Dir), cheapHashes...)
	must(t, <-released)
}

// holdUntilWaited holds the locks of a statement until a process has waited for them for two seconds.
// Then it sends the error of the release.
func holdUntilWaited(
	t *testing.T, c *postgrestest.Cluster, database, statement string,
) (released <-chan error) {
	t.Helper()
	release, err := c.Hold(context.Background(), database, statement)
	must(t, err)
	end := make(chan error, 1)
	go func() {
		for {
			out, err := c.SQL(context.Background(), database, `SELECT count(*) FROM pg_stat_activity
				WHERE wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '2 seconds'`)
			if err != nil || out != "0" {
				end <- errors.Join(err, release())
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return end
}
