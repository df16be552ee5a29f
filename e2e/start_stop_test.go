package e2e_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStop sends SIGTERM. The server exits with 0.
func TestStop(t *testing.T) {
	t.Parallel()
	if err := start(t, t.TempDir()).stop(t); err != nil {
		t.Errorf("after SIGTERM: %v, want exit 0", err)
	}
}

// TestStopIsQuick stops a server that has an idle connection and a request in progress. The request
// is answered; the idle connection does not delay the stop.
func TestStopIsQuick(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	idle, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer idle.Close()
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer slow.Close()
	_, err = io.WriteString(slow,
		"POST /v1/token/secret HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Content-Length: 11\r\n\r\n{\"token\"")
	must(t, err)
	await(t, "the server to answer", func() bool { return answered(s.URL + "/healthz") })
	must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	awaitStopped(t, s)
	_, err = io.WriteString(slow, ":1}")
	must(t, err)
	text, err := io.ReadAll(slow)
	if response := string(text); err != nil || !strings.HasPrefix(response, "HTTP/1.1 400 ") ||
		!strings.Contains(response, "Connection: close") {
		t.Errorf("the request in progress: %q, %v, want 400 and Connection: close", response, err)
	}
	started := time.Now()
	if err := <-s.done; err != nil {
		t.Errorf("the server exits with %v, want 0", err)
	}
	requireWithin(t, "the stop", time.Since(started), 5*time.Second)
	s.done <- nil
}

// awaitStopped waits until a server that stops accepts no more connections.
func awaitStopped(t *testing.T, s *server) {
	t.Helper()
	await(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// TestStopDespiteSlowUpload stops the server while a client never completes its request.
func TestStopDespiteSlowUpload(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn,
		"POST /v1/token HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 500\r\n\r\n{", asJSON)
	must(t, err)
	must(t, s.stop(t))
}

// TestHangUp sends SIGHUP, also to a server that nohup started, while it serves and while it stops.
// It says that nothing is reloaded, and loses no request.
func TestHangUp(t *testing.T) {
	t.Parallel()
	nohup := filepath.Join(t.TempDir(), "latchkey")
	writeProgram(t, nohup, fmt.Appendf(nil, "#!/bin/sh\ntrap '' HUP\nexec %s \"$@\"\n", binary))
	for name, program := range map[string]string{"plain": binary, "nohup": nohup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startProgram(t, nil, program, t.TempDir(), append(cheapHashes, "--log-level", "warn")...)
			must(t, s.cmd.Process.Signal(syscall.SIGHUP))
			await(t, "a line about SIGHUP", func() bool {
				return strings.Contains(s.out.String(), "SIGHUP reloads nothing")
			})
			slow, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
			must(t, err)
			defer slow.Close()
			_, err = io.WriteString(slow, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
			must(t, err)
			if !answered(s.URL + "/healthz") { // so the server has accepted slow before
				t.Error("the server does not answer after SIGHUP")
			}
			must(t, s.cmd.Process.Signal(syscall.SIGTERM))
			awaitStopped(t, s)
			must(t, s.cmd.Process.Signal(syscall.SIGHUP))
			_, err = io.WriteString(slow, "\r\n")
			must(t, err)
			if text, err := io.ReadAll(slow); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 ") {
				t.Errorf("the request in progress: %q, %v, want 200", text, err)
			}
			if err := <-s.done; err != nil {
				t.Errorf("the server exits with %v, want 0", err)
			}
			s.done <- nil
		})
	}
}
