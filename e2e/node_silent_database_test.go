//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// cable is a way to a cluster over TCP that can be made to swallow everything.
type cable struct {
	address string
	mu      sync.Mutex
	mended  chan struct{} // closed while nothing is swallowed
}

func newCable(t *testing.T, c *postgrestest.Cluster) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	w := &cable{address: l.Addr().String(), mended: make(chan struct{})}
	close(w.mended)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go w.join(near, filepath.Join(c.Dir, ".s.PGSQL.5432"))
		}
	}()
	return w
}

func (w *cable) join(near net.Conn, socket string) {
	defer near.Close()
	<-w.whole()
	far, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		w.carry(far, near)
		_ = far.Close()
	}()
	w.carry(near, far)
}

func (w *cable) carry(to io.Writer, from io.Reader) {
	piece := make([]byte, 1<<16)
	for {
		n, err := from.Read(piece)
		<-w.whole()
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

func (w *cable) whole() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mended
}

func (w *cable) unplug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mended = make(chan struct{})
}

func (w *cable) plug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.mended)
}

// through starts a node whose way to its database is an address.
func through(t *testing.T, c *postgrestest.Cluster, address, options string, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	inPostgres(t, c, dir)
	path := filepath.Join(dir, "postgres")
	direct, err := os.ReadFile(path)
	must(t, err)
	name := postgrestest.NameIn(string(direct))
	must(t, os.WriteFile(path, fmt.Appendf(nil, "postgres://postgres@%s/%s?%s", address, name, options), 0o600))
	return start(t, dir, args...)
}

// TestNodesSilentDatabase: when everything on the way to the database is swallowed, every request is answered within three
// seconds and verification goes on; afterwards the node works again within seconds.
func TestNodesSilentDatabase(t *testing.T) {
	c := newCluster(t)
	w := newCable(t, c)
	node := through(t, c, w.address, "", lenient...)
	token := account(t, node, "ann@example.com")
	if !verifies(t, node, token) {
		t.Fatal("refused")
	}
	w.unplug()
	var wait sync.WaitGroup
	for n := range 20 {
		wait.Go(func() {
			began := time.Now()
			got, err := tryRequest("POST", node.URL+"/v1/client/register", fmt.Sprintf(
				`{"account":"bob%d@example.com","secret":"secret1","type":100,"nickname":"Bob"}`, n), asJSON)
			if took := time.Since(began); err != nil || got.Status != 503 || took > 3*time.Second {
				t.Errorf("%d %s %v after %v", got.Status, got.Body, err, took)
			}
		})
	}
	for range 100 {
		if !verifies(t, node, token) {
			t.Error("refused")
		}
	}
	wait.Wait()
	w.plug()
	began := time.Now()
	await(t, "a write", func() bool {
		got, err := tryRequest("POST", node.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
			asJSON)
		return err == nil && got.Status == 201
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a write only after %v", took)
	}
}
