package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cheapHashes make logins fast where they are not what is tested.
var cheapHashes = []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "error"}

// account makes an account and returns a token of it.
func account(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, name)
	if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 201 {
		t.Fatalf("register: %d %s", got.Status, got.Body)
	}
	return login(t, s, name)
}

func login(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100}`, name)
	return tokenIn(t, request(t, "POST", s.URL+"/v1/token", body, asJSON))
}

// tokenIn is the token of an answer that made one.
func tokenIn(t testing.TB, got reply) string {
	t.Helper()
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != 201 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return answer.Token
}

// statusOf is the answer to GET /v1/user with a token.
func statusOf(t testing.TB, s *server, token string) int {
	t.Helper()
	return request(t, "GET", s.URL+"/v1/user", "", bearer(token)).Status
}

// lenient takes as many wrong tries as a test needs.
var lenient = append(slices.Clone(cheapHashes), "--account-tries", "100000")

// administrator makes an administrator and returns a token of it.
func administrator(t *testing.T, s *server) (token string) {
	t.Helper()
	mustRun(t, s.Dir, "secret1\n", "user", "add", "root@example.com", "--nickname", "Root", "--admin", "--secret-stdin")
	return mustRun(t, s.Dir, "", "token", "issue", "root@example.com")
}

// idOf is the id of an account.
func idOf(t *testing.T, s *server, account string) string {
	t.Helper()
	for line := range strings.Lines(mustRun(t, s.Dir, "", "user", "list", "--json")) {
		var user struct {
			ID      int
			Account string
		}
		if json.Unmarshal([]byte(line), &user) == nil && user.Account == account {
			return strconv.Itoa(user.ID)
		}
	}
	t.Fatalf("no account %s", account)
	return ""
}
