package e2e_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

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
		post("/v1/token", `{"account":"ann@example.com","secret":"wrong","type":100}`),
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

// TestDatabaseReplaced: a server whose database file was removed, replaced or cut acknowledges nothing and is not
// ready.
func TestDatabaseReplaced(t *testing.T) {
	cut := func(by int64) func(path string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, max(0, info.Size()-by))
		}
	}
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"emptied": cut(1 << 40), "cut by three pages": cut(3 * 4096), "cut by a page": cut(4096), "cut by a byte": cut(1),
		"replaced": func(path string) error {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".restored", content, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".restored", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), append(cheapHashes, "--revocation-lag", "1s")...)
			token := account(t, s, "ann@example.com")
			must(t, s.stop(t)) // by which everything comes from the log into the file
			s = start(t, s.Dir, append(cheapHashes, "--revocation-lag", "1s")...)
			must(t, spoil(filepath.Join(s.Dir, "latchkey.db")))
			body := `{"account":"bob@example.com","secret":"secret1","type":100,"nickname":"Bob"}`
			if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 503 {
				t.Errorf("register: %d %s", got.Status, got.Body)
			}
			if got := request(t, "DELETE", s.URL+"/v1/token", "", bearer(token)); got.Status != 503 {
				t.Errorf("ending a token: %d %s", got.Status, got.Body)
			}
			if got := request(t, "GET", s.URL+"/readyz", ""); got.Status != 503 {
				t.Errorf("readyz: %d %s", got.Status, got.Body)
			}
			await(t, "tokens to be refused", func() bool { return statusOf(t, s, token) == 503 })
			body = strings.ReplaceAll(body, "bob", "cyd")
			if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 503 {
				t.Errorf("register again: %d %s", got.Status, got.Body)
			}
			if !strings.Contains(s.out.String(), "was removed, replaced or cut") {
				t.Errorf("the log does not say why: %s", s.out)
			}
		})
	}
}

// TestFirstStartAtOnce: several commands on an empty data directory wait for each other.
func TestFirstStartAtOnce(t *testing.T) {
	for range 3 {
		dir := filepath.Join(t.TempDir(), "data")
		var wait sync.WaitGroup
		for n := range 4 {
			wait.Go(func() {
				name := fmt.Sprintf("user%d@example.com", n)
				_, said, code := latchkey(t, dir, "secret1\n", "--argon2-memory", "7168", "user", "add", name,
					"--nickname", "Ann", "--secret-stdin")
				if code != 0 {
					t.Errorf("%s: exit %d: %s", name, code, said)
				}
			})
		}
		wait.Wait()
		if got := strings.Count(mustRun(t, dir, "", "user", "list"), "\n"); got != 4 {
			t.Errorf("%d users", got)
		}
	}
}

// TestLockedIsNotDamaged: a database that another program keeps locked is not called damaged.
func TestLockedIsNotDamaged(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "secret1\n", "user", "add", "ann@example.com", "--nickname", "Ann", "--secret-stdin")
	db, err := sql.Open("sqlite3", filepath.Join(dir, "latchkey.db"))
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"} {
		_, err := db.Exec(statement)
		must(t, err)
	}
	began := time.Now()
	_, said, code := latchkey(t, dir, "", "user", "list")
	if code != 1 || strings.Contains(said, "damaged") || !strings.Contains(said, "locked") {
		t.Errorf("exit %d after %v: %s", code, time.Since(began), said)
	}
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
