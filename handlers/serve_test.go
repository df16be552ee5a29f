package handlers

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"latchkey/models/postgrestest"

	"latchkey/auth"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// closable is a connection that knows whether it was closed.
type closable struct {
	net.Conn
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

// TestWhoGivesWay: the connection on which for the longest time no whole request has come; one that is being answered
// never does.
func TestWhoGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newConnections(3)
		all := map[string]*closable{}
		note := func(name string, state http.ConnState) {
			if all[name] == nil {
				all[name] = &closable{}
			}
			time.Sleep(time.Second)
			n.stateChanged(all[name], state)
		}
		requireClosed := func(want string) {
			t.Helper()
			room := n.makeRoom()
			for name, c := range all {
				if c.closed != (name == want) {
					t.Errorf("closed, %s: %v, want %s", name, c.closed, want)
				}
			}
			if room != (want != "" || len(n.open) < 3) {
				t.Errorf("room: %v, %d open", room, len(n.open))
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
		n.open[all["a"]].busy = true
		requireClosed("d")
		note("e", http.StateNew)
		n.open[all["c"]].busy, n.open[all["e"]].busy = true, true
		requireClosed("")
		note("a", http.StateIdle)
		requireClosed("a")
	})
}

// serve has a house answer on a port until the end of the test.
func (h *house) serve(t *testing.T) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, listener) }()
	return listener.Addr().String(), sync.OnceFunc(func() { cancel(); must(t, <-done) })
}

// TestNothingIsLeft: of ten thousand clients that go away in the middle of a request, or before its answer, neither a
// goroutine nor a descriptor is left.
func TestNothingIsLeft(t *testing.T) {
	h := newHouse(t, auth.Options{AccountAttempts: 1 << 30, NetworkAttempts: 1 << 30},
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
	const pool = 8 // descriptors of connections to the database, each made when it is first needed
	goroutines, files := runtime.NumGoroutine(), openFiles()+pool
	for n := range 10_000 {
		leave(n)
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		nowGoroutines, nowFiles := runtime.NumGoroutine(), openFiles()
		if nowGoroutines <= goroutines+2 && nowFiles <= files {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d", nowGoroutines, nowFiles, goroutines, files)
		}
	}
}
