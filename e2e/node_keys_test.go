//go:build e2e || torture

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNodesWithoutMasterKey runs a command with no master key and with another one. Both fail with
// an error that says so, and change nothing.
func TestNodesWithoutMasterKey(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, newCluster(t), 1)
	dir := nodeDir(t, nodes[0].Dir)
	path := filepath.Join(dir, "secret")
	must(t, os.Remove(path))
	checkFails(t, "copy it", dir, "key", "list")
	must(t, os.WriteFile(path, []byte(strings.Repeat("abcd", 10)+"abc=\n"), 0o600))
	checkFails(t, "copy that of the other nodes", dir, "key", "list")
	account(t, nodes[0], "ann@example.com")
}

// TestNodesRotateKeys rotates keys under load. A new key signs as soon as all nodes have it, and no
// valid token is rejected meanwhile.
func TestNodesRotateKeys(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key", func() bool {
		return verifies(t, nodes[1], token) && verifies(t, nodes[2], token)
	})
	load := &verifiers{}
	load.verify(t, nodes, token)
	for key := 2; key <= 4; key++ {
		began := time.Now()
		mustRun(t, nodes[key%3].Dir, "", "key", "rotate")
		await(t, "the new key to sign", func() bool {
			newest, _, _ := strings.Cut(mustRun(t, nodes[0].Dir, "", "key", "list", "--json"), "\n")
			return strings.Contains(newest, fmt.Sprintf(`"id":%d`, key)) &&
				strings.Contains(newest, `"state":"signs"`)
		})
		t.Logf("key %d signs after %v", key, time.Since(began).Round(time.Millisecond))
		for _, node := range nodes {
			token := login(t, node, "ann@example.com")
			for _, other := range nodes {
				if !verifies(t, other, token) {
					t.Errorf("a node rejects a token signed by key %d", key)
				}
			}
		}
	}
	t.Logf("%d verifications, none rejected", load.stop())
}

// TestNodesStartTogether runs ten migrations of a new database at once, then starts ten nodes at
// once with one master key. They create one signing key.
func TestNodesStartTogether(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir := t.TempDir()
	address, err := c.InPlaceOf(context.Background(), dir)
	must(t, err)
	checkFails(t, "run latchkey migrate", dir, "user", "list")
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { mustRun(t, dir, "", "--database", address, "migrate") })
	}
	wait.Wait()
	mustRun(t, dir, "", "key", "list") // creates nothing, because there is no master key
	for range 10 {
		wait.Go(func() {
			account(t, start(t, dir, cheapHashes...), fmt.Sprintf("%d@example.com", time.Now().UnixNano()))
		})
	}
	wait.Wait()
	if keys := mustRun(t, dir, "", "key", "list", "--json"); strings.Count(keys, "\n") != 0 {
		t.Errorf("keys: %s, want one", keys)
	}
}
