package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// url is where the server listens inside the machine.
const url = "http://127.0.0.1:8080"

// server is a Latchkey with its data directory on the disk. Its entries are "user NAME",
// "login NAME PASSWORD", "live TOKEN" and "revoked TOKEN".
type server struct {
	program string
	data    string
	cmd     *exec.Cmd
	done    chan error
	out     bytes.Buffer
	users   map[string]bool
	number  atomic.Int64
}

// open starts the server and reads its accounts.
func (s *server) open(disk string) error {
	s.data = filepath.Join(disk, "data")
	s.cmd = exec.Command(s.program, "serve", "--addr", "127.0.0.1:8080", "--data", s.data, "--log-level", "error",
		"--argon2-memory", "7168", "--argon2-time", "1", "--max-token-ttl", "8h", "--token-ttl", "8h")
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func() { s.done <- s.cmd.Wait() }()
	for {
		if status, _, err := ask("GET", "/healthz", "", ""); err == nil && status == http.StatusOK {
			break
		}
		select {
		case err := <-s.done:
			return fmt.Errorf("the server exits: %w: %s", err, s.out.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.users = map[string]bool{}
	list, err := exec.Command(s.program, "--data", s.data, "user", "list", "--json").Output()
	for line := range strings.Lines(string(list)) {
		var user struct{ Account string }
		if err := json.Unmarshal([]byte(line), &user); err != nil {
			return err
		}
		s.users[user.Account] = true
	}
	return err
}

func (s *server) close() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-s.done
}

// missing checks one entry.
func (s *server) missing(entry string) string {
	words := strings.Fields(entry)
	var want, status int
	var err error
	switch words[0] {
	case "user":
		if !s.users[words[1]] {
			return "no such account"
		}
		return ""
	case "login":
		want = http.StatusCreated
		status, _, err = ask("POST", "/v1/token", credentials(words[1], words[2]), "")
	case "live":
		want = http.StatusOK
		status, _, err = ask("GET", "/v1/verify", "", words[1])
	case "revoked":
		want = http.StatusUnauthorized
		status, _, err = ask("GET", "/v1/verify", "", words[1])
	}
	if err != nil || status != want {
		return fmt.Sprintf("%d %v", status, err)
	}
	return ""
}

// work registers an account, logs in twice and revokes one token. It changes the password of every
// third account.
func (s *server) work(writer int, note func(entry string)) error {
	number := s.number.Add(1)
	name := fmt.Sprintf("w%d-%d-%d@example.com", writer, number, time.Now().UnixNano())
	const first, second = "first-password", "second-password"
	if _, err := acknowledged("POST", "/v1/client/register", credentials(name, first), ""); err != nil {
		return err
	}
	note("user " + name)
	var tokens [2]string
	for i := range tokens {
		issued, err := acknowledged("POST", "/v1/token", credentials(name, first), "")
		if err != nil {
			return err
		}
		tokens[i] = issued.Token
	}
	if _, err := acknowledged("DELETE", "/v1/token", "", tokens[0]); err != nil {
		return err
	}
	note("revoked " + tokens[0])
	if number%3 != 0 {
		note("live " + tokens[1])
		note("login " + name + " " + first)
		return nil
	}
	change := fmt.Sprintf(`{"old":%q,"new":%q}`, first, second)
	if _, err := acknowledged("PUT", "/v1/user/secret", change, tokens[1]); err != nil {
		return err
	}
	note("revoked " + tokens[1])
	note("login " + name + " " + second)
	return nil
}

// credentials returns the body of a registration or login.
func credentials(name, password string) string {
	return fmt.Sprintf(`{"account":%q,"secret":%q,"type":100,"nickname":"Ann"}`, name, password)
}

// acknowledged sends a request that must succeed.
func acknowledged(method, path, body, token string) (issued struct{ Token string }, err error) {
	status, text, err := ask(method, path, body, token)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, status, text)
	}
	if err == nil && path == "/v1/token" && method == "POST" {
		err = json.Unmarshal(text, &issued)
	}
	return issued, err
}

// ask sends a request and returns the status and the body.
func ask(method, path, body, token string) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}
