//go:build e2e || torture

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// TestNodesRevoke: what one node has ended, another refuses within a moment, also when the connections on which the
// nodes listen are cut again and again.
func TestNodesRevoke(t *testing.T) {
	nodesRefuse(t, 150, time.Second)
}

// nodesRefuse ends so many tokens on one node, and a tenth as many by disabling users and by changing their roles,
// while the listening connections are cut now and then and some last uses cannot be stored.
func nodesRefuse(t *testing.T, count int, cut time.Duration) {
	c := newCluster(t)
	nodes := startNodes(t, c, 3, lenient...)
	addUser(t, nodes[0].Dir, "root@example.com", "--admin")
	admin := login(t, nodes[0], "root@example.com")
	stopCutting := cutListeners(t, c, cut)
	defer stopCutting()
	load := &checkers{}
	load.verify(t, nodes, admin)
	release, err := c.Hold(context.Background(), nameOf(t, nodes[0].Dir), "SELECT 1 FROM tokens FOR UPDATE")
	must(t, err)
	t.Cleanup(func() { must(t, release()) })
	e := &ender{t: t, nodes: nodes, pace: cut / 200}
	owner := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key", func() bool { return statusOf(t, nodes[2], owner) == 200 })
	for n := range count {
		token := serviceToken(t, nodes[0], owner, fmt.Sprint("service ", n))
		e.end(token, "DELETE", "/v1/token", "", bearer(token))
	}
	for n := range count / 10 {
		for what, change := range map[string]string{"disabled": `{"state":"disabled"}`, "role": `{"role":"admin"}`} {
			name := fmt.Sprintf("%s%d@example.com", what, n)
			token := account(t, nodes[0], name)
			e.end(token, "PUT", fmt.Sprintf("/v1/user/%d", e.uid(token)), change, asJSON, bearer(admin))
		}
	}
	stopCutting()
	verified := load.stop()
	others := quantilesOf(e.took)
	t.Logf("%d endings on one of three nodes, %d verifications meanwhile; the others refuse: %v", e.count, verified,
		others)
	if others.p99 > 500*time.Millisecond || others.max > 1500*time.Millisecond {
		t.Error("too late")
	}
}

// cutListeners ends the connections on which nodes listen, now and then.
func cutListeners(t *testing.T, c *postgrestest.Cluster, every time.Duration) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if _, err := c.SQL(context.Background(), "postgres", `SELECT pg_terminate_backend(pid)
					FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wait.Wait()
	})
}

// ender ends tokens on the first node and looks how long the others take.
type ender struct {
	t     *testing.T
	nodes []*server
	pace  time.Duration // from one to the next
	count int
	took  []time.Duration
}

// uid is whose a token is.
func (e *ender) uid(token string) uint32 {
	var me struct{ ID uint32 }
	got := request(e.t, "GET", e.nodes[0].URL+"/v1/user", "", bearer(token))
	if err := json.Unmarshal([]byte(got.Body), &me); err != nil || me.ID == 0 {
		e.t.Fatalf("%d %s", got.Status, got.Body)
	}
	return me.ID
}

func (e *ender) end(token, method, path, body string, headers ...string) {
	e.t.Helper()
	got := request(e.t, method, e.nodes[0].URL+path, body, headers...)
	if got.Status/100 != 2 {
		e.t.Fatalf("%s %s: %d %s", method, path, got.Status, got.Body)
	}
	ended := time.Now()
	e.count++
	for range 10 {
		if verifies(e.t, e.nodes[0], token) {
			e.t.Fatal("the node that ended the token accepts it")
		}
	}
	for _, node := range e.nodes[1:] {
		for verifies(e.t, node, token) {
			if time.Since(ended) > 10*time.Second {
				e.t.Fatal("another node goes on accepting the token")
			}
		}
		e.took = append(e.took, time.Since(ended))
	}
	time.Sleep(e.pace) // the load, not a synchronisation
}
