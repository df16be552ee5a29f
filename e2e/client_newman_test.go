//go:build e2e

package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNewman runs the Postman collection against a server: twice, because it must be repeatable;
// without an administrator's token; and with two administrators, whom it must not change.
func TestNewman(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	admin := administrator(t, s)
	collection(t, s, admin, true, true)
	collection(t, s, admin, true, true)
	collection(t, s, "", false, false)
	addUser(t, s.Dir, "second@example.com", "--admin")
	collection(t, s, admin, true, false)
	if got := request(t, "GET", s.URL+"/v1/users", "", bearer(admin)); got.Status != 200 {
		t.Errorf("the administrator after the runs: status %d, want 200: %s", got.Status, got.Body)
	}
}

// collection runs the collection with an administrator's token or "". administers means that the
// folder for administrators must run, last that it must run the request of the last administrator.
func collection(t *testing.T, s *server, token string, administers, last bool) {
	t.Helper()
	text, err := exec.Command("node_modules/.bin/newman", "run",
		"../postman/latchkey.postman_collection.json",
		"-e", "../postman/latchkey.postman_environment.json",
		"--env-var", "baseUrl="+s.URL, "--env-var", "adminToken="+token).CombinedOutput()
	out := string(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Contains(out, "✓  works 15 minutes"); got != administers {
		t.Errorf("the folder for administrators ran: %v, want %v\n%s", got, administers, out)
	}
	if got := strings.Contains(out, "✓  error_code 1103"); got != last {
		t.Errorf("the request of the last administrator ran: %v, want %v\n%s", got, last, out)
	}
}
