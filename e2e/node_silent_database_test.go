//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// databaseLink is a TCP address that leads to a cluster. While it is unplugged, connections stay
// open and carry nothing.
type databaseLink struct {
	address string
	mu      sync.Mutex
	plugged chan struct{} // closed while the link carries data
}

// newDatabaseLink creates a link that is plugged.
func newDatabaseLink(t *testing.T, c *postgrestest.Cluster) *databaseLink {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	l := &databaseLink{address: listener.Addr().String(), plugged: make(chan struct{})}
	close(l.plugged)
	go func() {
		for {
			node, err := listener.Accept()
			if err != nil {
				return
			}
			go l.join(node, filepath.Join(c.Dir, ".s.PGSQL.5432"))
		}
	}()
	return l
}

// join connects a node's connection to the cluster's socket.
func (l *databaseLink) join(node net.Conn, socket string) {
	defer node.Close()
	<-l.connected()
	database, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer database.Close()
	go func() {
		l.carry(database, node)
		_ = database.Close()
	}()
	l.carry(node, database)
}

// carry copies what it reads, except while the link is unplugged.
func (l *databaseLink) carry(to io.Writer, from io.Reader) {
	piece := make([]byte, 1<<16)
	for {
		n, err := from.Read(piece)
		<-l.connected()
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// connected returns a channel that is closed while the link is plugged.
func (l *databaseLink) connected() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.plugged
}

// unplug stops the link: from now on nothing arrives.
func (l *databaseLink) unplug() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plugged = make(chan struct{})
}

// plug lets the link carry data again, including what was held back.
func (l *databaseLink) plug() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.plugged)
}

// startVia starts a node that reaches its database at an address; options are parameters of the
// URL.
func startVia(
	t *testing.T, c *postgrestest.Cluster, address, options string, args ...string,
) *server {
	t.Helper()
	dir := t.TempDir()
	usePostgres(t, c, dir)
	path := filepath.Join(dir, "postgres")
	direct, err := os.ReadFile(path)
	must(t, err)
	name := postgrestest.NameIn(string(direct))
	url := fmt.Sprintf("postgres://postgres@%s/%s?%s", address, name, options)
	must(t, os.WriteFile(path, []byte(url), 0o600))
	return start(t, dir, args...)
}

// TestNodesSilentDatabase unplugs the link to the database: connections stay open, but carry
// nothing. The node answers every request within 3 seconds and verifies tokens. Once the link is
// back it writes again within 5 seconds.
func TestNodesSilentDatabase(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	l := newDatabaseLink(t, c)
	node := startVia(t, c, l.address, "", append(slices.Clone(lenient), "--revocation-lag", "1h")...)
	token := account(t, node, "ann@example.com")
	requireVerified(t, node, token)
	l.unplug()
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			began := time.Now()
			body := registerJSON(fmt.Sprintf("bob%d@example.com", n))
			got, err := tryOnce("POST", node.URL+"/v1/client/register", body, asJSON)
			if err != nil || got.Status != 503 {
				t.Errorf("registration: status %d, %v, want 503: %s", got.Status, err, got.Body)
			}
			requireWithin(t, "the registration", time.Since(began), 3*time.Second)
		})
	}
	for range 100 {
		if !verifies(t, node, token) {
			t.Error("the node rejects a valid token while its database is silent")
		}
	}
	wait.Wait()
	l.plug()
	began := time.Now()
	await(t, "a write", func() bool {
		got, err := tryOnce("POST", node.URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
			asJSON)
		return err == nil && got.Status == 201
	})
	requireWithin(t, "the first write", time.Since(began), 5*time.Second)
}
