package handlers

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is no measure of the server.
const patience = 15 * time.Second

// serveConnections serves a handler behind the connection limit until the test ends.
func serveConnections(t *testing.T, maximum int, handler http.Handler) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	open := newConnections(maximum, nil)
	server := &http.Server{Handler: open.receiving(handler), ConnState: open.stateChanged,
		ConnContext: withConnection}
	done := make(chan error, 1)
	go func() { done <- server.Serve(open.limit(listener)) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return listener.Addr().String()
}

// dialAnd sends a request on a new connection, which stays open until the test ends.
func dialAnd(t *testing.T, address, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	return conn
}

// requireOK reads a response.
func requireOK(t *testing.T, conn net.Conn) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v, want 200", response, err)
	}
	_ = response.Body.Close()
}

// TestUnreadResponses: clients that do not read their responses keep nobody out.
func TestUnreadResponses(t *testing.T) {
	const maximum = 8
	begun := make(chan struct{}, 10*maximum)
	endless := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		begun <- struct{}{}
		for block := make([]byte, 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	address := serveConnections(t, maximum, http.HandlerFunc(endless))
	for range maximum {
		dialAnd(t, address, "/endless")
		<-begun
	}
	for range maximum {
		dialAnd(t, address, "/endless")
	}
	requireOK(t, dialAnd(t, address, "/"))
}

// TestRoomAfterResponse: when all connections are busy, the next one has room as soon as a response
// is complete, although its connection stays open.
func TestRoomAfterResponse(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	address := serveConnections(t, 1, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-finish
		}
	}))
	slow := dialAnd(t, address, "/slow")
	<-arrived
	next := dialAnd(t, address, "/")
	time.Sleep(50 * time.Millisecond) // Accept waits by now; the test also holds if it does not
	close(finish)
	requireOK(t, slow)
	requireOK(t, next)
}

// TestHalfClose: net/http closes only the sending half first, so that a response is not lost while
// its request still arrives.
func TestHalfClose(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	limited := newConnections(1, nil).limit(listener)
	defer limited.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	defer client.Close()
	ours, err := limited.Accept()
	must(t, err)
	defer ours.Close()
	half, ok := ours.(interface{ CloseWrite() error })
	if !ok {
		t.Fatal("there is no CloseWrite, which net/http looks for")
	}
	must(t, half.CloseWrite())
	if text, err := io.ReadAll(client); err != nil || len(text) != 0 {
		t.Errorf("the client reads %q, %v, want the end", text, err)
	}
	_, err = io.WriteString(client, "x")
	must(t, err)
	if n, err := ours.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the server reads %d bytes, %v, want 1", n, err)
	}
}
