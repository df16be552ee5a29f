package e2e_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRestart replaces the process on a socket that stays open, as systemd does with socket
// activation. Sixty clients that keep their connections lose no request.
func TestRestart(t *testing.T) {
	t.Parallel()
	restartUnderLoad(t, 8, 500)
}

// restartUnderLoad restarts several times, each after the given number of responses.
func restartUnderLoad(t *testing.T, times, before int) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer socket.Close()
	dir := t.TempDir()
	server := activated(t, socket, dir)
	loseNothing(t, server.URL, times, before, func() (longest time.Duration) {
		next := activated(t, socket, dir)
		started := time.Now()
		if err := server.stop(t); err != nil {
			t.Errorf("the old process exits with %v, want 0\n%s", err, server.out)
		}
		server = next
		return time.Since(started)
	})
}

// loseNothing calls restart several times, each after the given number of responses, while 60
// clients send requests without a pause on kept connections. No request may be lost, and no stop
// may take longer than 5 seconds.
func loseNothing(
	t *testing.T, url string, times, before int, restart func() (stopTook time.Duration),
) {
	t.Helper()
	body := `{"token":"` + strings.Repeat("x", 56) + `"}`
	var answered, lost atomic.Int64
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 60 {
		wait.Go(func() {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Post(url+"/v1/token/secret", "application/json", strings.NewReader(body))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				if err != nil || resp.StatusCode != http.StatusUnauthorized {
					lost.Add(1)
					t.Errorf("a request is lost: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	var longest time.Duration
	for range times {
		seen := answered.Load()
		await(t, "responses",
			func() bool { return answered.Load() > seen+int64(before) || lost.Load() > 0 })
		longest = max(longest, restart())
	}
	close(stop)
	wait.Wait()
	t.Logf("%d restarts, %d responses, %d requests lost, the longest stop took %v",
		times, answered.Load(), lost.Load(), longest)
	requireWithin(t, "the longest stop", longest, 5*time.Second)
}

// activated starts a server on an open socket, as systemd does, and waits until it reports READY=1.
func activated(t *testing.T, socket net.Listener, dir string) *server {
	t.Helper()
	file, err := socket.(*net.TCPListener).File()
	must(t, err)
	defer file.Close()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: t.TempDir() + "/notify",
		Net: "unixgram"})
	must(t, err)
	defer notify.Close()
	s := &server{URL: "http://" + socket.Addr().String(), Dir: dir, out: &lockedBuffer{},
		done: make(chan error, 1)}
	args := append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "serve", "--data", dir},
		cheapHashes...)
	s.cmd = exec.Command("/bin/sh", args...)
	s.cmd.ExtraFiles, s.cmd.Stdout, s.cmd.Stderr = []*os.File{file}, s.out, s.out
	s.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+notify.LocalAddr().String())
	must(t, s.cmd.Start())
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(s.kill)
	must(t, notify.SetReadDeadline(time.Now().Add(patience)))
	message := make([]byte, 64)
	n, err := notify.Read(message)
	if err != nil || string(message[:n]) != "READY=1" {
		t.Fatalf("systemd gets %q, %v, want READY=1\n%s", message[:n], err, s.out)
	}
	return s
}
