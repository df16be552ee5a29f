package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"latchkey/auth"
	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// closable is a connection that records its Close.
type closable struct {
	net.Conn
	address netip.AddrPort
	closed  bool
}

func (c *closable) Close() error         { c.closed = true; return nil }
func (c *closable) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.address) }

// connectFrom opens a connection from an address, if there is room, a second after the one before.
func (n *connections) connectFrom(address string) (*connection, admission) {
	c := n.newConnection(&closable{address: netip.AddrPortFrom(netip.MustParseAddr(address), 1)})
	room := n.makeRoom(c)
	if room == admitted {
		time.Sleep(time.Second)
		n.stateChanged(c, http.StateNew)
	}
	return c, room
}

func (c *connection) isClosed() bool { return c.Conn.(*closable).closed }

// TestOldestConnectionCloses: at the limit the server closes the connection that has waited
// longest for a complete request. It never closes one whose request it is serving.
func TestOldestConnectionCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newConnections(3, nil)
		all := map[string]*connection{}
		note := func(name string, state http.ConnState) {
			if all[name] == nil {
				all[name] = n.newConnection(&closable{address: netip.MustParseAddrPort("127.0.0.1:1")})
			}
			time.Sleep(time.Second)
			n.stateChanged(all[name], state)
		}
		requireClosed := func(want string) {
			t.Helper()
			room := n.makeRoom(&connection{})
			for name, c := range all {
				if c.isClosed() != (name == want) {
					t.Errorf("closed, %s: %v, want %s", name, c.isClosed(), want)
				}
			}
			if (room == admitted) != (want != "" || len(n.open) < 3) {
				t.Errorf("admission %d, %d open", room, len(n.open))
			}
			if want != "" {
				n.stateChanged(all[want], http.StateClosed)
				delete(all, want)
			}
		}
		note("a", http.StateNew)
		note("b", http.StateNew)
		requireClosed("")
		note("c", http.StateNew)
		note("a", http.StateActive)
		requireClosed("b")
		note("d", http.StateNew)
		note("c", http.StateActive)
		note("c", http.StateIdle)
		n.setBusy(all["a"], true)
		requireClosed("d")
		note("e", http.StateNew)
		n.setBusy(all["c"], true)
		n.setBusy(all["e"], true)
		requireClosed("")
		note("a", http.StateIdle)
		requireClosed("a")
	})
}

// TestNetworkShare: a network holds at most half of the connections. Loopback addresses and trusted
// proxies, which stand for many clients, may hold all.
func TestNetworkShare(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	for _, test := range []struct {
		name, first, second string // two addresses of one network
		shares              bool
	}{
		{"IPv4", "192.0.2.1", "192.0.2.1", true},
		{"IPv4 in IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"IPv6", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"two /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"loopback", "127.0.0.1", "127.0.0.1", false},
		{"trusted proxy", "10.0.0.1", "10.0.0.1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newConnections(4, trusted)
				first, _ := n.connectFrom(test.first)
				second, _ := n.connectFrom(test.second)
				if _, room := n.connectFrom(test.second); room != admitted || first.isClosed() != test.shares {
					t.Errorf("a third one: admission %d, the first is closed: %v, want %v", room,
						first.isClosed(), test.shares)
				}
				for c := range n.open {
					n.setBusy(c, true)
				}
				want := map[bool]admission{true: refused, false: admitted}[test.shares]
				if _, room := n.connectFrom(test.first); room != want || second.isClosed() {
					t.Errorf("beside busy ones: admission %d, want %d", room, want)
				}
				if _, room := n.connectFrom("198.51.100.1"); test.shares && room != admitted {
					t.Errorf("another network: admission %d", room)
				}
				for c := range n.open {
					n.stateChanged(c, http.StateClosed)
				}
				if len(n.held) != 0 {
					t.Errorf("counted after all have closed: %v", n.held)
				}
			})
		})
	}
}

// TestStalledWrite: a response may take long, but fails when the client takes no byte for five
// seconds, or when it has not taken all of it after the write limit. From the first delay on, its
// connection is not busy.
func TestStalledWrite(t *testing.T) {
	for name, test := range map[string]struct {
		reads, limit time.Duration // how long the client reads a byte every four seconds
		err          error
		written      int
	}{
		"slow":    {reads: time.Hour, limit: time.Hour, written: 10},
		"stalled": {reads: 8 * time.Second, limit: time.Hour, err: os.ErrDeadlineExceeded, written: 2},
		"endless": {reads: time.Hour, limit: 30 * time.Second, err: os.ErrDeadlineExceeded, written: 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				n := newConnections(1, nil)
				c := n.newConnection(ours)
				n.stateChanged(c, http.StateNew)
				n.setBusy(c, true)
				must(t, c.SetWriteDeadline(time.Now().Add(test.limit)))
				var client sync.WaitGroup
				client.Go(func() {
					for began := time.Now(); time.Since(began) < test.reads; {
						time.Sleep(4 * time.Second)
						if _, err := theirs.Read(make([]byte, 1)); err != nil {
							return
						}
					}
				})
				began := time.Now()
				written, err := c.Write(make([]byte, 10))
				took := time.Since(began)
				if written != test.written || !errors.Is(err, test.err) || c.busy {
					t.Errorf("%d bytes, %v, busy %v, want %d and %v", written, err, c.busy, test.written, test.err)
				}
				if most := test.reads + 2*stallTimeout; took > most || took > test.limit {
					t.Errorf("took %v", took)
				}
				must(t, ours.Close())
				must(t, theirs.Close())
				client.Wait()
			})
		})
	}
}

// serve starts the server on a free port. stop stops it.
func (h *harness) serve(t *testing.T) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, listener) }()
	return listener.Addr().String(), sync.OnceFunc(func() { cancel(); must(t, <-done) })
}

// TestNoLeaks: ten thousand clients that disconnect in the middle of a request, or before its
// response, leave no goroutine and no file descriptor behind.
func TestNoLeaks(t *testing.T) {
	h := newHarness(t, auth.Options{AccountAttempts: 1 << 30, NetworkAttempts: 1 << 30},
		func(c *Config) { c.MaxConnections = 100 })
	address, stop := h.serve(t)
	defer stop()
	login := `{"account":"root@example.com","secret":"secret1","type":100}`
	requests := []string{
		"GET /v1/user HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + h.admin + "\r\n\r\n",
		fmt.Sprintf("POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(login), login),
	}
	leave := func(n int) {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		request := requests[min(1, n%20)^1]
		_, _ = io.WriteString(conn, request[:1+rand.IntN(len(request))])
		_ = conn.Close()
	}
	openFiles := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	const pool = 8 // descriptors of database connections, opened on demand
	goroutines, files := runtime.NumGoroutine(), openFiles()+pool
	for n := range 10_000 {
		leave(n)
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		nowGoroutines, nowFiles := runtime.NumGoroutine(), openFiles()
		if nowGoroutines <= goroutines+2 && nowFiles <= files {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d",
				nowGoroutines, nowFiles, goroutines, files)
		}
	}
}
