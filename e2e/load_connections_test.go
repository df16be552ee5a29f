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

// withFiles is the server as a program that may have so many files open.
func withFiles(t *testing.T, count int) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "latchkey")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d && exec %s \"$@\"\n", count, binary)
	must(t, os.WriteFile(program, []byte(script), 0o700))
	return program
}

// filesOf is how many descriptors a server has open.
func filesOf(t *testing.T, s *server) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/fd")
	must(t, err)
	return len(entries)
}

// hold opens so many connections, says something on each and keeps them.
func hold(t *testing.T, s *server, count int, say string) (all []net.Conn) {
	t.Helper()
	for range count {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, say) // it may have been closed for another's sake
		all = append(all, conn)
	}
	return all
}

// The beginnings of requests that do not go on.
const (
	halfHeader = "GET /v1/user HTTP/1.1\r\nHost: x\r\nX-"
	halfBody   = "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	whole      = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
)

// TestFewDescriptors: with 64 descriptors and a thousand connections held open, the server still answers, reads and
// writes its database, and is quiet about it.
func TestFewDescriptors(t *testing.T) {
	args := []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "warn"}
	s := startProgram(t, nil, withFiles(t, 64), t.TempDir(), args...)
	token := account(t, s, "ann@example.com")
	before := s.out.String()
	began := time.Now()
	for n, say := range []string{"", halfHeader, halfBody, whole} {
		hold(t, s, 250, say)
		if files := filesOf(t, s); files > 64 {
			t.Errorf("%d descriptors", files)
		}
		for m := range 10 {
			body := registerJSON(fmt.Sprintf("new%d-%d@example.com", n, m))
			made := request(t, "POST", s.URL+"/v1/client/register", body, asJSON, "Connection: close")
			got := request(t, "GET", s.URL+"/v1/user", "", bearer(token), "Connection: close")
			if made.Status != 201 || got.Status != 200 {
				t.Errorf("with connections that say %.10q: %d, %d", say, made.Status, got.Status)
			}
		}
	}
	said := strings.Count(strings.TrimPrefix(s.out.String(), before), "\n")
	if most := 2 * int(1+time.Since(began).Seconds()); said > most {
		t.Errorf("%d lines in the log, at most %d: %s", said, most, s.out)
	}
	must(t, s.stop(t))
}

// TestTooFewDescriptors: with less the server does not start.
func TestTooFewDescriptors(t *testing.T) {
	out, err := exec.Command(withFiles(t, 63), "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir()).CombinedOutput()
	want := "latchkey: 63 open files are allowed (ulimit -n): at least 64 are needed\n"
	if err == nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSlowClients: hundreds of clients that send their requests slowly are cut off after five seconds; others are
// answered meanwhile, and afterwards nothing is left of them.
func TestSlowClients(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	var wait sync.WaitGroup
	for range 50 { // so that every connection to the database is open
		wait.Go(func() { statusOf(t, s, token) })
	}
	wait.Wait()
	idle := filesOf(t, s)
	began := time.Now()
	for _, say := range []string{halfHeader, halfBody} {
		for _, conn := range hold(t, s, 200, say) {
			wait.Go(func() {
				for n := 0; n < 100; n++ { // a byte now and then
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
					_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
					if _, err := io.Copy(io.Discard, conn); err == nil {
						return // closed
					}
				}
				t.Errorf("%.10q goes on after %v", say, time.Since(began))
			})
		}
	}
	for range 200 {
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("meanwhile: %d", got)
		}
	}
	wait.Wait()
	t.Logf("the last of them was cut off after %v", time.Since(began).Round(time.Millisecond))
	await(t, "the descriptors to be given back", func() bool { return filesOf(t, s) <= idle })
}

// TestHalfClosed: a client that closes its half of the connection right after its request still gets the true answer,
// never an empty success.
func TestHalfClosed(t *testing.T) {
	s := start(t, t.TempDir(), append(cheapHashes, "--account-tries", "100000")...)
	account(t, s, "ann@example.com")
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: %d\r\n\r\n%s", path, asJSON, len(body), body)
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
						t.Errorf("%.20q: %d %q", request, status, body)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

// halfClosed sends a request and closes the sending half at once.
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
