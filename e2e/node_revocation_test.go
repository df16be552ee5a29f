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

// TestNodesRevoke revokes tokens on one node while the nodes' listening connections are cut now and
// then. The other nodes reject the tokens within a moment.
func TestNodesRevoke(t *testing.T) {
	t.Parallel()
	revokeOnNodes(t, 150, time.Second)
}

// revokeOnNodes revokes count tokens on one node, and a tenth as many each by disabling users and
// by changing their roles. Meanwhile the listening connections are cut every cut, and a row lock
// keeps the nodes from storing last uses.
func revokeOnNodes(t *testing.T, count int, cut time.Duration) {
	c := newCluster(t)
	nodes := startNodes(t, c, 3, lenient...)
	addUser(t, nodes[0].Dir, "root@example.com", "--admin")
	admin := login(t, nodes[0], "root@example.com")
	stopDisconnecting := disconnectListeners(t, c, cut)
	defer stopDisconnecting()
	load := &verifiers{}
	load.verify(t, nodes, admin)
	release, err := c.Hold(context.Background(), databaseName(t, nodes[0].Dir),
		"SELECT 1 FROM tokens FOR UPDATE")
	must(t, err)
	t.Cleanup(func() { must(t, release()) })
	r := &revoker{t: t, nodes: nodes, pace: cut / 200}
	owner := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key",
		func() bool { return statusOf(t, nodes[2], owner) == 200 })
	for n := range count {
		token := serviceToken(t, nodes[0], owner, fmt.Sprint("service ", n))
		r.revoke(token, "DELETE", "/v1/token", "", bearer(token))
	}
	for n := range count / 10 {
		for what, change := range map[string]string{"disabled": `{"state":"disabled"}`,
			"role": `{"role":"admin"}`} {
			name := fmt.Sprintf("%s%d@example.com", what, n)
			token := account(t, nodes[0], name)
			r.revoke(token, "PUT", fmt.Sprintf("/v1/user/%d", r.uid(token)), change, asJSON, bearer(admin))
		}
	}
	stopDisconnecting()
	verified := load.stop()
	others := quantilesOf(r.took)
	t.Logf("%d revocations on one of three nodes, %d verifications meanwhile; the others reject after %v",
		r.count, verified, others)
	requireWithin(t, "99 % of the revocations on other nodes", others.p99, 500*time.Millisecond)
	requireWithin(t, "the slowest revocation on other nodes", others.max, 1500*time.Millisecond)
}

// disconnectListeners ends the connections on which nodes listen, at intervals, until stop is
// called.
func disconnectListeners(t *testing.T, c *postgrestest.Cluster, every time.Duration) (stop func()) {
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

// revoker revokes tokens on the first node and measures how long the others accept them.
type revoker struct {
	t     *testing.T
	nodes []*server
	pace  time.Duration // pause between two revocations
	count int
	took  []time.Duration
}

// uid returns the id of a token's user.
func (r *revoker) uid(token string) uint32 {
	var me struct{ ID uint32 }
	got := request(r.t, "GET", r.nodes[0].URL+"/v1/user", "", bearer(token))
	if err := json.Unmarshal([]byte(got.Body), &me); err != nil || me.ID == 0 {
		r.t.Fatalf("GET /v1/user: status %d, want 200 with an id: %s", got.Status, got.Body)
	}
	return me.ID
}

// revoke sends the request that revokes a token, and waits until every node rejects it.
func (r *revoker) revoke(token, method, path, body string, headers ...string) {
	r.t.Helper()
	got := request(r.t, method, r.nodes[0].URL+path, body, headers...)
	if got.Status/100 != 2 {
		r.t.Fatalf("%s %s: status %d, want 2xx: %s", method, path, got.Status, got.Body)
	}
	revoked := time.Now()
	r.count++
	for range 10 {
		if verifies(r.t, r.nodes[0], token) {
			r.t.Fatal("the node that revoked the token still accepts it")
		}
	}
	for _, node := range r.nodes[1:] {
		for verifies(r.t, node, token) {
			if time.Since(revoked) > patience {
				r.t.Fatalf("another node accepts a revoked token after %v", patience)
			}
		}
		r.took = append(r.took, time.Since(revoked))
	}
	time.Sleep(r.pace) // the load, not a synchronisation
}
