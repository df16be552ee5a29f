//go:build e2e || torture

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// TestNodesCable: when everything on the way to the database is swallowed, every request is answered within three
// seconds and verification goes on; afterwards the node works again within seconds.
func TestNodesCable(t *testing.T) {
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

// TestNodesPooler: a node behind PgBouncer, which gives each transaction another connection, does all it does else.
func TestNodesPooler(t *testing.T) {
	c := newCluster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	path := filepath.Join(c.Dir, "pgbouncer.ini")
	must(t, os.WriteFile(path, fmt.Appendf(nil, `[databases]
* = host=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
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
	address := fmt.Sprintf("127.0.0.1:%d", port)
	await(t, "PgBouncer", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	node := through(t, c, address, "default_query_exec_mode=exec", lenient...)
	replayContract(t, node)
	other := start(t, another(t, node.Dir), cheapHashes...)
	token := account(t, node, "late@example.com")
	await(t, "the other node to know the key", func() bool { return verifies(t, other, token) })
	if got := request(t, "DELETE", node.URL+"/v1/token", "", bearer(token)); got.Status != 202 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	began := time.Now()
	await(t, "the other node to refuse the token", func() bool { return !verifies(t, other, token) })
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("refused only after %v", took)
	}
}

// TestNodesTLS: a node that is to have a certificate of the database's name takes no other, and nothing in clear text.
func TestNodesTLS(t *testing.T) {
	c := newCluster(t)
	certify := func(name, host string) {
		t.Helper()
		out, err := c.Command(context.Background(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
			"ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN="+host, "-addext",
			"subjectAltName=DNS:"+host, "-keyout", name+".key", "-out", name+".crt").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	certify("right", "localhost")
	certify("other", "localhost")
	certify("elsewhere", "db.example.com")
	dir := t.TempDir()
	inPostgres(t, c, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	serve := func(certificate string) {
		t.Helper()
		must(t, c.Stop(syscall.SIGQUIT))
		must(t, c.Start(context.Background(), "ssl=on", "ssl_cert_file="+filepath.Join(c.Dir, certificate+".crt"),
			"ssl_key_file="+filepath.Join(c.Dir, certificate+".key"), "listen_addresses=localhost",
			fmt.Sprint("port=", port)))
	}
	list := func(mode, authority string) (string, int) {
		address := fmt.Sprintf("postgres://postgres@localhost:%d/%s?sslmode=%s&sslrootcert=%s", port, nameOf(t, dir), mode,
			filepath.Join(c.Dir, authority+".crt"))
		_, said, code := latchkey(t, dir, "", "--database", address, "migrate")
		return said, code
	}
	serve("right")
	if said, code := list("verify-full", "right"); code != 0 {
		t.Errorf("the right certificate: %s", said)
	}
	if said, code := list("verify-full", "other"); code != 1 || !strings.Contains(said, "certificate") {
		t.Errorf("of another authority: exit %d, %s", code, said)
	}
	serve("elsewhere")
	if said, code := list("verify-full", "elsewhere"); code != 1 || !strings.Contains(said, "certificate") {
		t.Errorf("of another name: exit %d, %s", code, said)
	}
}
