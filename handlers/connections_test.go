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

	"latchkey/auth"
	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// closable is a connection that records its Close.
type closable struct {
	net.Conn
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

// TestOldestConnectionCloses: at the limit the server closes the connection that has waited
// longest for a complete request. It never closes one whose request it is serving.
func TestOldestConnectionCloses(t *testing.T) {
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
