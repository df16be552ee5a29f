package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCommandRevokesTokens revokes tokens on the command line. The running server rejects half of
// them within 250 ms.
func TestCommandRevokesTokens(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	owner := account(t, s, "ann@example.com")
	const times = 40
	var took []time.Duration
	for n := range times {
		token := serviceToken(t, s, owner, fmt.Sprint("service ", n))
		if statusOf(t, s, token) != 200 {
			t.Fatal("the server rejects a new token")
		}
		mustRun(t, s.Dir, "", "token", "revoke", token)
		began := time.Now()
		await(t, "the server to reject the token", func() bool { return statusOf(t, s, token) == 401 })
		took = append(took, time.Since(began))
	}
	all := quantilesOf(took)
	t.Logf("rejected after the command returned: %v", all)
	requireWithin(t, "the median", all.p50, 250*time.Millisecond)
	if got := statusOf(t, s, owner); got != 200 {
		t.Errorf("another token: status %d, want 200", got)
	}
}

// TestCommandsWhileServing changes accounts on the command line. The running server rejects their
// tokens and logs why.
func TestCommandsWhileServing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	changes := map[string][]string{
		"disable": {"user", "disable", "ACCOUNT"}, "role": {"user", "role", "ACCOUNT", "admin"},
		"passwd": {"user", "passwd", "ACCOUNT", "--secret-stdin"}, "delete": {"user", "delete", "ACCOUNT",
			"--yes"},
	}
	reasons := map[string]string{"disable": "account disabled", "role": "role changed",
		"passwd": "password changed", "delete": "account deleted"}
	for name, args := range changes {
		t.Run(name, func(t *testing.T) {
			account := name + "@example.com"
			addUser(t, dir, account)
			token := mustRun(t, dir, "", "token", "issue", account)
			if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
				t.Fatalf("a new token: status %d, want 200: %s", got.Status, got.Body)
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "ACCOUNT", account)
			}
			mustRun(t, dir, "secret2\n", args...)
			began := time.Now()
			await(t, "the server to reject the token", func() bool {
				return request(t, "GET", s.URL+"/v1/user", "", basic(token, "")).Status == 401
			})
			t.Logf("rejected after %v", time.Since(began).Round(time.Millisecond))
			line := regexp.MustCompile(`msg="all tokens of a user revoked" by="command line" ` +
				`reason="` + reasons[name] + ` on the command line" uid=[0-9]+ through=[0-9-]+\n`)
			await(t, "the server to log it", func() bool { return line.MatchString(s.out.String()) })
			_, stderr, code := latchkey(t, dir, "", "token", "inspect", "--", token)
			if code != 1 || stderr != "" {
				t.Errorf("token inspect: exit %d, %q, want exit 1", code, stderr)
			}
		})
	}
}
