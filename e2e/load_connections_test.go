package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// limitOpenFiles returns a program that starts the server with a limit of open files (ulimit -n).
func limitOpenFiles(t *testing.T, count int) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "latchkey")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec %s \"$@\"\n", count, binary)
	writeProgram(t, program, []byte(script))
	return program
}

// openFiles returns how many file descriptors a server has open.
func openFiles(t *testing.T, s *server) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/fd")
	must(t, err)
	return len(entries)
}

// holdConnections opens connections, sends a text on each and keeps them open.
func holdConnections(t *testing.T, s *server, count int, text string) (all []net.Conn) {
	t.Helper()
	for range count {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, text) // fails if the server has closed it in favour of another
		all = append(all, conn)
	}
	return all
}

// Parts of requests.
const (
	halfHeader = "GET /v1/user HTTP/1.1\r\nHost: x\r\nX-"
	halfBody   = "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	complete   = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
)

// TestFewDescriptors holds a thousand connections to a server with 64 descriptors. The server still
// reads and writes its database, and logs at most two lines a second.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	args := []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "warn"}
	s := startProgram(t, nil, limitOpenFiles(t, 64), t.TempDir(), args...)
	token := account(t, s, "ann@example.com")
	before := s.out.String()
	began := time.Now()
	for n, text := range []string{"", halfHeader, halfBody, complete} {
		holdConnections(t, s, 250, text)
		if files := openFiles(t, s); files > 64 {
			t.Errorf("the server has %d open files, want at most 64", files)
		}
		for m := range 10 {
			body := registerJSON(fmt.Sprintf("new%d-%d@example.com", n, m))
			made := request(t, "POST", s.URL+"/v1/client/register", body, asJSON, "Connection: close")
			got := request(t, "GET", s.URL+"/v1/user", "", bearer(token), "Connection: close")
			if made.Status != 201 || got.Status != 200 {
				t.Errorf("beside connections with %.10q: registration %d, want 201; GET /v1/user %d, want 200",
					text, made.Status, got.Status)
			}
		}
	}
	lines := strings.Count(strings.TrimPrefix(s.out.String(), before), "\n")
	if limit := 2 * int(1+time.Since(began).Seconds()); lines > limit {
		t.Errorf("the server logs %d lines, want at most %d: %s", lines, limit, s.out)
	}
	must(t, s.stop(t))
}

// TestTooFewDescriptors starts the server with 63 descriptors. It fails with one line.
func TestTooFewDescriptors(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(limitOpenFiles(t, 63), "serve", "--addr", "127.0.0.1:0", "--data",
		t.TempDir()).CombinedOutput()
	want := "latchkey: the limit of open files is 63: raise it to at least 64 (ulimit -n)\n"
	if err == nil || string(out) != want {
		t.Errorf("%v: %q, want an error and %q", err, out, want)
	}
}

// TestSlowClients connects hundreds of clients that send their requests slowly. The server closes
// them after five seconds, answers other clients meanwhile, and releases all descriptors.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	var wait sync.WaitGroup
	for range 50 { // opens every connection to the database
		wait.Go(func() { statusOf(t, s, token) })
	}
	wait.Wait()
	idle := openFiles(t, s)
	began := time.Now()
	for _, text := range []string{halfHeader, halfBody} {
		for _, conn := range holdConnections(t, s, 200, text) {
			wait.Go(func() {
				for time.Since(began) < patience { // a byte now and then
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
					_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
					if _, err := io.Copy(io.Discard, conn); err == nil {
						return // closed
					}
				}
				t.Errorf("the connection with %.10q is open after %v", text, time.Since(began))
			})
		}
	}
	for range 200 {
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("another client: status %d, want 200", got)
		}
	}
	wait.Wait()
	requireWithin(t, "closing the last one", time.Since(began), 10*time.Second)
	await(t, "the release of the descriptors", func() bool { return openFiles(t, s) <= idle })
}

// TestClientsThatDoNotRead connects many more clients than the server has connections for. They send
// requests and never read. The server answers another client.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--connections", "64", "--log-level", "warn")...)
	script := "GET /static/latchkey.js HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, conn := range holdConnections(t, s, 600, "") {
		must(t, conn.(*net.TCPConn).SetReadBuffer(4096)) // bytes
		_, _ = io.WriteString(conn, strings.Repeat(script, 1000))
	}
	got := request(t, "GET", s.URL+"/healthz", "", "Connection: close")
	checkStatus(t, "GET /healthz", got, 200)
	must(t, s.stop(t))
}

// TestHalfClosed sends requests and closes the sending half of the connection at once. The client
// gets the right response, never an empty 200.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--account-tries", "100000")...)
	account(t, s, "ann@example.com")
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n%s", path,
			asJSON, len(body), body)
	}
	requests := []string{
		"GET /v1/user HTTP/1.1\r\nHost: x\r\n\r\n",
		"DELETE /v1/user HTTP/1.1\r\nHost: x\r\n\r\n",
		post("/v1/token", loginJSON("ann@example.com", "wrong")),
		post("/v1/token/secret", `{"token":"x"}`),
	}
	address := strings.TrimPrefix(s.URL, "http://")
	for _, request := range requests {
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 50 {
					status, body := halfClosed(t, address, request)
					if status != 401 && status != 503 || body == "" {
						t.Errorf("%.20q: status %d with body %q, want 401 or 503 with a body", request, status, body)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

// halfClosed sends a request, closes the sending half at once and returns the response.
func halfClosed(t *testing.T, address, request string) (status int, body string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Error(err)
		return 0, ""
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	content, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(content)
}
