package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cheapHashes are flags that make logins fast in tests of something else.
var cheapHashes = []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "error"}

// registerJSON returns the body of a registration. The password is secret1.
func registerJSON(account string) string {
	return fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, account)
}

// loginJSON returns the body of a login.
func loginJSON(account, password string) string {
	return fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, password)
}

// account registers an account over HTTP and returns a token of it. The password is secret1.
func account(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	got := register(t, s.URL+"/v1/client/register", registerJSON(name), asJSON)
	if got.Status != 201 {
		t.Fatalf("register %s: status %d, want 201: %s", name, got.Status, got.Body)
	}
	return login(t, s, name)
}

// register sends a registration and returns the response. While the server is busy, it tries again.
// A busy server that lost the answer to its commit cannot tell whether the account is stored; the
// next registration then fails because it is. Such a one has the status 201.
func register(t testing.TB, url, body string, headers ...string) reply {
	t.Helper()
	got := requestOnce(t, "POST", url, body, headers...)
	if !got.busy() {
		return got
	}
	got = request(t, "POST", url, body, headers...)
	if strings.Contains(got.Body, "already registered") {
		got.Status = http.StatusCreated
	}
	return got
}

// addUser adds an account on the command line. The password is secret1.
func addUser(tb testing.TB, dir, name string, flags ...string) {
	tb.Helper()
	args := []string{"user", "add", name, "--nickname", "Ann", "--secret-stdin", "--init"}
	mustRun(tb, dir, "secret1\n", append(args, flags...)...)
}

// login logs in with the password secret1 and returns the token.
func login(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	body := loginJSON(name, "secret1")
	return tokenIn(t, request(t, "POST", s.URL+"/v1/token", body, asJSON))
}

// tokenIn returns the token in a 201 response.
func tokenIn(t testing.TB, got reply) string {
	t.Helper()
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != 201 {
		t.Fatalf("status %d, want 201 with a token: %s", got.Status, got.Body)
	}
	return answer.Token
}

// serviceToken issues a service token that is valid for a day.
func serviceToken(t testing.TB, s *server, owner, label string) (token string) {
	t.Helper()
	body := fmt.Sprintf(`{"label":%q,"lifetime":86400}`, label)
	return tokenIn(t, request(t, "POST", s.URL+"/v1/tokens", body, asJSON, bearer(owner)))
}

// revoke revokes a token.
func revoke(t testing.TB, s *server, token string) {
	t.Helper()
	got := request(t, "DELETE", s.URL+"/v1/token", "", bearer(token))
	checkStatus(t, "revocation", got, http.StatusAccepted)
}

// statusOf returns the status of GET /v1/user with a token.
func statusOf(t testing.TB, s *server, token string) int {
	t.Helper()
	return request(t, "GET", s.URL+"/v1/user", "", bearer(token)).Status
}

// lenient are cheapHashes with a limit of failed logins that no test reaches.
var lenient = slices.Clip(append(slices.Clone(cheapHashes), "--account-tries", "100000"))

// administrator adds the administrator root@example.com and returns a token of it.
func administrator(t *testing.T, s *server) (token string) {
	t.Helper()
	addUser(t, s.Dir, "root@example.com", "--admin")
	return mustRun(t, s.Dir, "", "token", "issue", "root@example.com")
}

// idOf returns the id of an account.
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
