package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCommandRevokesTokens: a command in another process is seen by the running server soon. How soon is logged; half
// of them within 250 ms, whatever else the machine does.
func TestCommandRevokesTokens(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	owner := account(t, s, "ann@example.com")
	const times = 40
	var took []time.Duration
	for n := range times {
		token := serviceToken(t, s, owner, fmt.Sprint("service ", n))
		if statusOf(t, s, token) != 200 {
			t.Fatal("a new token is refused")
		}
		mustRun(t, s.Dir, "", "token", "revoke", token)
		began := time.Now()
		await(t, "the server to refuse the token", func() bool { return statusOf(t, s, token) == 401 })
		took = append(took, time.Since(began))
	}
	all := quantilesOf(took)
	t.Logf("refused after the command had ended: %v", all)
	if all.p50 > 250*time.Millisecond {
		t.Errorf("half of them took longer than %v", all.p50)
	}
	if statusOf(t, s, owner) != 200 {
		t.Error("another token is refused")
	}
}

// TestCommandsWhileServing: what a command does in another process, the running server follows.
func TestCommandsWhileServing(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	changes := map[string][]string{
		"disable": {"user", "disable", "ACCOUNT"}, "role": {"user", "role", "ACCOUNT", "admin"},
		"passwd": {"user", "passwd", "ACCOUNT", "--secret-stdin"}, "delete": {"user", "delete", "ACCOUNT", "--yes"},
	}
	for name, args := range changes {
		t.Run(name, func(t *testing.T) {
			account := name + "@example.com"
			addUser(t, dir, account)
			token := mustRun(t, dir, "", "token", "issue", account)
			if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
				t.Fatalf("status %d", got.Status)
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "ACCOUNT", account)
			}
			mustRun(t, dir, "secret2\n", args...)
			began := time.Now()
			await(t, "the server to refuse the token", func() bool {
				return request(t, "GET", s.URL+"/v1/user", "", basic(token, "")).Status == 401
			})
			t.Logf("refused after %v", time.Since(began).Round(time.Millisecond))
			_, said, code := latchkey(t, dir, "", "token", "inspect", "--", token)
			if code != 1 || said != "latchkey: the token is not accepted\n" {
				t.Errorf("inspect: exit %d, %q", code, said)
			}
		})
	}
}
