//go:build e2e

package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNewman runs the Postman collection against a fresh server, twice: it must be repeatable; and without an
// administrator's token.
func TestNewman(t *testing.T) {
	s := start(t, t.TempDir())
	admin := administrator(t, s)
	for _, token := range []string{admin, admin, ""} {
		out, err := exec.Command("node_modules/.bin/newman", "run",
			"../postman/latchkey.postman_collection.json",
			"-e", "../postman/latchkey.postman_environment.json",
			"--env-var", "baseUrl="+s.URL, "--env-var", "adminToken="+token).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if ran := strings.Contains(string(out), "✓  error_code 1103"); ran != (token != "") {
			t.Errorf("the folder for administrators ran: %v\n%s", ran, out)
		}
	}
}
