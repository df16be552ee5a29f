//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestNodesRegisterConcurrently sends twenty registrations of one account to three nodes at once.
// Exactly one succeeds.
func TestNodesRegisterConcurrently(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	for round := range 5 {
		body := registerJSON(fmt.Sprintf("Ann%d@example.com", round))
		var created, rejected atomic.Int64
		var wait sync.WaitGroup
		for n := range 20 {
			wait.Go(func() {
				got, err := tryRequest("POST", nodes[n%3].URL+"/v1/client/register", body, asJSON)
				switch {
				case err == nil && got.Status == 201:
					created.Add(1)
				case err == nil && got.Status == 400 && strings.Contains(got.Body, "already registered"):
					rejected.Add(1)
				default:
					t.Errorf("registration: status %d, %v, want 201 or 400: %s", got.Status, err, got.Body)
				}
			})
		}
		wait.Wait()
		if created.Load() != 1 || rejected.Load() != 19 {
			t.Errorf("%d created, %d rejected, want 1 and 19", created.Load(), rejected.Load())
		}
	}
}

// TestNodesShareLoginLimits spreads failed logins over three nodes. The limit counts all of them;
// the owner logs in from another address.
func TestNodesShareLoginLimits(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, newCluster(t), 3, append(cheapHashes, "--trusted-proxy", "127.0.0.1/32")...)
	account(t, nodes[0], "ann@example.com")
	attempt := func(n int) reply {
		return request(t, "POST", nodes[n%3].URL+"/v1/token", loginJSON("ann@example.com", "wrong-1"),
			asJSON, "X-Forwarded-For: 192.0.2.1")
	}
	for n := range 10 {
		if got := attempt(n); got.Status != 401 {
			t.Fatalf("attempt %d: status %d, want 401: %s", n, got.Status, got.Body)
		}
	}
	for n := range 3 {
		checkStatus(t, fmt.Sprint("an attempt over the limit on node ", n), attempt(n), 429)
	}
	got := request(t, "POST", nodes[1].URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
		asJSON, "X-Forwarded-For: 192.0.2.2")
	checkStatus(t, "the owner from another address", got, 201)
}
