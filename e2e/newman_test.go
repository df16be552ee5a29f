//go:build e2e

package e2e_test

import (
	"os/exec"
	"testing"
)

// TestNewman runs the Postman collection against a fresh server, twice: it must be repeatable.
func TestNewman(t *testing.T) {
	s := start(t, t.TempDir())
	for range 2 {
		out, err := exec.Command("node_modules/.bin/newman", "run",
			"../postman/latchkey.postman_collection.json",
			"-e", "../postman/latchkey.postman_environment.json",
			"--env-var", "baseUrl="+s.URL).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}
