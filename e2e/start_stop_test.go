package e2e_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStop: SIGTERM ends the server in good order.
func TestStop(t *testing.T) {
	if err := start(t, t.TempDir()).stop(t); err != nil {
		t.Error(err)
	}
}

// TestStopIsQuick: a client that keeps a connection and asks nothing does not hold a stop up; a request that is under
// way is answered.
func TestStopIsQuick(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	idle, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer idle.Close()
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer slow.Close()
	_, err = io.WriteString(slow, "POST /v1/token/secret HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: 11\r\n\r\n{\"token\"")
	must(t, err)
	await(t, "the server to be asked", func() bool { return answered(s.URL + "/healthz") })
	must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	await(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	_, err = io.WriteString(slow, ":1}")
	must(t, err)
	text, err := io.ReadAll(slow)
	if answer := string(text); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 400 ") ||
		!strings.Contains(answer, "Connection: close") {
		t.Errorf("%q, %v", answer, err)
	}
	started := time.Now()
	if err := <-s.done; err != nil || time.Since(started) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
	s.done <- nil
}

// TestStopDespiteSlowUpload: a client that never ends its request does not keep the server from stopping in good order.
func TestStopDespiteSlowUpload(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1/token HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 500\r\n\r\n{", asJSON)
	must(t, err)
	must(t, s.stop(t))
}
