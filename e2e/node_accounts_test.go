//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestNodesRegisterConcurrently: of twenty registrations of one account at once on three nodes one succeeds.
func TestNodesRegisterConcurrently(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	for round := range 5 {
		body := fmt.Sprintf(`{"account":"Ann%d@example.com","secret":"secret1","type":100,"nickname":"Ann"}`, round)
		var made, refused atomic.Int64
		var wait sync.WaitGroup
		for n := range 20 {
			wait.Go(func() {
				got, err := tryRequest("POST", nodes[n%3].URL+"/v1/client/register", body, asJSON)
				switch {
				case err == nil && got.Status == 201:
					made.Add(1)
				case err == nil && got.Status == 400 && strings.Contains(got.Body, "already registered"):
					refused.Add(1)
				default:
					t.Errorf("%d %s %v", got.Status, got.Body, err)
				}
			})
		}
		wait.Wait()
		if made.Load() != 1 || refused.Load() != 19 {
			t.Errorf("%d made, %d refused", made.Load(), refused.Load())
		}
	}
}

// TestNodesShareLoginLimits: wrong tries count on every node.
func TestNodesShareLoginLimits(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, append(cheapHashes, "--trusted-proxy", "127.0.0.1/32")...)
	account(t, nodes[0], "ann@example.com")
	try := func(n int) reply {
		return request(t, "POST", nodes[n%3].URL+"/v1/token", `{"account":"ann@example.com","secret":"wrong-1","type":100}`,
			asJSON, "X-Forwarded-For: 192.0.2.1")
	}
	for n := range 10 {
		if got := try(n); got.Status != 401 {
			t.Fatalf("try %d: %d %s", n, got.Status, got.Body)
		}
	}
	for n := range 3 {
		if got := try(n); got.Status != 429 {
			t.Errorf("one more on node %d: %d %s", n, got.Status, got.Body)
		}
	}
	if got := request(t, "POST", nodes[1].URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
		asJSON, "X-Forwarded-For: 192.0.2.2"); got.Status != 201 {
		t.Errorf("the owner from elsewhere: %d %s", got.Status, got.Body)
	}
}
