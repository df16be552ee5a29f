//go:build e2e || torture

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNodesContract replays the contract against a node on PostgreSQL.
func TestNodesContract(t *testing.T) {
	t.Parallel()
	replayContract(t, startNodes(t, newCluster(t), 1)[0])
}

// TestNodesPgBouncer replays the contract against a node that reaches PostgreSQL through PgBouncer,
// which gives each transaction another connection. Revocations reach other nodes, too.
func TestNodesPgBouncer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	path := filepath.Join(c.Dir, "pgbouncer.ini")
	must(t, os.WriteFile(path, fmt.Appendf(nil, `[databases]
* = host=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
logfile = %s
`, c.Dir, port, filepath.Join(c.Dir, "pgbouncer.log")), 0o644))
	pooler := c.Command(context.Background(), "pgbouncer", path)
	must(t, pooler.Start())
	defer func() {
		_ = pooler.Process.Kill()
		_ = pooler.Wait()
	}()
	await(t, "PgBouncer", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	node := startVia(t, c, address, "default_query_exec_mode=exec", lenient...)
	replayContract(t, node)
	other := start(t, nodeDir(t, node.Dir), cheapHashes...)
	token := account(t, node, "late@example.com")
	await(t, "the other node to know the key", func() bool { return verifies(t, other, token) })
	revoke(t, node, token)
	began := time.Now()
	await(t, "the other node to reject the token", func() bool { return !verifies(t, other, token) })
	requireWithin(t, "the revocation on the other node", time.Since(began), 1500*time.Millisecond)
}
