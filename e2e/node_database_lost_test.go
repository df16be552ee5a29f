//go:build e2e || torture

package e2e_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNodesWithoutDatabase: without its database a node goes on verifying for as long as it may, and says 503 to everything
// that needs it; when the database is back, it works again by itself.
func TestNodesWithoutDatabase(t *testing.T) {
	c := newCluster(t)
	node := startNodes(t, c, 1, append(cheapHashes, "--revocation-lag", "3s")...)[0]
	token := account(t, node, "ann@example.com")
	if !verifies(t, node, token) { // from here on it knows whose the token is
		t.Fatal("refused")
	}
	must(t, c.Stop(syscall.SIGQUIT))
	began := time.Now()
	for time.Since(began) < 2*time.Second {
		if !verifies(t, node, token) {
			t.Error("refused")
		}
	}
	asked := time.Now()
	got := request(t, "POST", node.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`, asJSON)
	if took := time.Since(asked); got.Status != 503 || took > 2500*time.Millisecond {
		t.Errorf("a login: %d %s after %v", got.Status, got.Body, took)
	}
	await(t, "verification to stop", func() bool {
		return request(t, "GET", node.URL+"/v1/verify", "", bearer(token)).Status == 503
	})
	if took := time.Since(began); took < 2*time.Second || took > 6*time.Second {
		t.Errorf("verification stopped after %v", took)
	}
	if got := request(t, "GET", node.URL+"/readyz", ""); got.Status != 503 {
		t.Errorf("/readyz: %d", got.Status)
	}
	must(t, c.Start(context.Background()))
	await(t, "the node to be ready", func() bool { return request(t, "GET", node.URL+"/readyz", "").Status == 200 })
	if !verifies(t, node, token) {
		t.Error("refused afterwards")
	}
	login(t, node, "ann@example.com")
}

// TestNodesPostgresRestarts: PostgreSQL is stopped as by a crash and started again under load; nothing that was
// acknowledged is lost, and verification never fails.
func TestNodesPostgresRestarts(t *testing.T) {
	postgresRestarts(t, 5)
}

func postgresRestarts(t *testing.T, times int) {
	c := newCluster(t)
	nodes := startNodes(t, c, 2, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other node to know the key", func() bool { return verifies(t, nodes[1], token) })
	load, writers := &checkers{}, &writers{}
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
	t.Logf("%d restarts, %d accounts acknowledged, %d requests refused by 503, the longest answer took %v, "+
		"%d verifications; the first write afterwards: %v", times, len(writers.accounts), writers.refused.Load(),
		time.Duration(writers.longest.Load()).Round(time.Millisecond), load.stop(), quantilesOf(back))
}

// TestNodesNoConnections: while others use up all of PostgreSQL's connections, requests are answered within two
// seconds.
func TestNodesNoConnections(t *testing.T) {
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
			"SELECT pg_sleep(60)")
		must(t, psql.Start())
		others = append(others, psql)
	}
	await(t, "the connections to be used up", func() bool {
		out, err := c.SQL(context.Background(), "postgres", "SELECT 1")
		return err != nil && strings.Contains(err.Error()+out, "too many clients")
	})
	for range 20 {
		began := time.Now()
		got := request(t, "POST", node.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
			asJSON)
		if took := time.Since(began); got.Status != 201 && got.Status != 503 || took > 2500*time.Millisecond {
			t.Errorf("%d %s after %v", got.Status, got.Body, took)
		}
	}
	if got := request(t, "GET", node.URL+"/v1/user", "", bearer(token)); got.Status != 200 && got.Status != 503 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
