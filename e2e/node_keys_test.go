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

// TestNodesWithoutMasterKey: a node that lacks the others' secret says so, and changes nothing.
func TestNodesWithoutMasterKey(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 1)
	strange := another(t, nodes[0].Dir)
	must(t, os.Remove(filepath.Join(strange, "secret")))
	if _, said, code := latchkey(t, strange, "", "key", "list"); code != 1 || !strings.Contains(said, "copy it") {
		t.Errorf("no secret: exit %d, %s", code, said)
	}
	must(t, os.WriteFile(filepath.Join(strange, "secret"), []byte(strings.Repeat("abcd", 10)+"abc=\n"), 0o600))
	if _, said, code := latchkey(t, strange, "", "key", "list"); code != 1 ||
		!strings.Contains(said, "copy that of the other nodes") {
		t.Errorf("another secret: exit %d, %s", code, said)
	}
	account(t, nodes[0], "ann@example.com")
}

// TestNodesRotateKeys: a new key signs as soon as three nodes have it, and no good token is refused meanwhile.
func TestNodesRotateKeys(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key", func() bool {
		return verifies(t, nodes[1], token) && verifies(t, nodes[2], token)
	})
	load := &checkers{}
	load.verify(t, nodes, token)
	for key := 2; key <= 4; key++ {
		began := time.Now()
		mustRun(t, nodes[key%3].Dir, "", "key", "rotate")
		await(t, "the new key to sign", func() bool {
			newest, _, _ := strings.Cut(mustRun(t, nodes[0].Dir, "", "key", "list", "--json"), "\n")
			return strings.Contains(newest, fmt.Sprintf(`"id":%d`, key)) && strings.Contains(newest, `"state":"signs"`)
		})
		t.Logf("key %d signs after %v", key, time.Since(began).Round(time.Millisecond))
		for _, node := range nodes {
			made := login(t, node, "ann@example.com")
			for _, other := range nodes {
				if !verifies(t, other, made) {
					t.Errorf("a token of key %d is refused", key)
				}
			}
		}
	}
	t.Logf("%d verifications, none refused", load.stop())
}

// TestNodesStartTogether: ten commands set a database up at once, and ten nodes start on it with one secret.
func TestNodesStartTogether(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	address, err := c.InPlaceOf(context.Background(), dir)
	must(t, err)
	if _, said, code := latchkey(t, dir, "", "user", "list"); code != 1 ||
		!strings.Contains(said, "run latchkey migrate") {
		t.Errorf("before: exit %d, %s", code, said)
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { mustRun(t, dir, "", "--database", address, "migrate") })
	}
	wait.Wait()
	mustRun(t, dir, "", "key", "list") // makes nothing: there is no secret
	for range 10 {
		wait.Go(func() {
			account(t, start(t, dir, cheapHashes...), fmt.Sprintf("%d@example.com", time.Now().UnixNano()))
		})
	}
	wait.Wait()
	if keys := mustRun(t, dir, "", "key", "list", "--json"); strings.Count(keys, "\n") != 0 {
		t.Errorf("several keys: %s", keys)
	}
}
