//go:build e2e

package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// terminal runs a command line on a pseudo-terminal (script, from bsdutils), with typed as the keys pressed.
func terminal(t *testing.T, dir, typed, line string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "script", "-qec", binary+" "+line, "/dev/null")
	cmd.Env = append(os.Environ(), "LATCHKEY_DATA="+dir)
	cmd.Stdin = strings.NewReader(typed)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestCommandConfirms: on a terminal a destructive command asks first, and "no" changes nothing.
func TestCommandConfirms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addUser(t, dir, "root@example.com", "--admin")
	addUser(t, dir, "ann@example.com")
	token := mustRun(t, dir, "", "token", "issue", "ann@example.com")
	tests := []struct{ line, question string }{
		{"token revoke --all ann@example.com", "Revoke every token of ann@example.com? [y/N]"},
		{"key retire 1 --now", "Delete key 1 and revoke its 1 live tokens of 1 users? [y/N]"},
		{"user delete ann@example.com", "Delete ann@example.com and revoke its tokens? [y/N]"},
	}
	for _, test := range tests {
		for _, answer := range []string{"n\n", "\n", "\x04"} {
			out, code := terminal(t, dir, answer, test.line)
			if code != 1 || !strings.Contains(out, test.question) || !strings.Contains(out, "nothing was changed") {
				t.Errorf("%s, answer %q: exit %d, %s", test.line, answer, code, out)
			}
		}
	}
	mustRun(t, dir, "", "token", "inspect", token)
	for _, test := range tests {
		if out, code := terminal(t, dir, "y\n", test.line); code != 0 {
			t.Errorf("%s, answer y: exit %d, %s", test.line, code, out)
		}
	}
	if users := mustRun(t, dir, "", "user", "list"); strings.Contains(users, "ann@example.com") {
		t.Errorf("the account exists: %s", users)
	}
}

// TestCommandAsksPassword: on a terminal a new password is asked for twice and not shown.
func TestCommandAsksPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	add := "user add ann@example.com --nickname Ann --init"
	out, code := terminal(t, dir, "secret1\nsecret2\n", add)
	if code != 1 || !strings.Contains(out, "the two passwords differ") {
		t.Errorf("different passwords: exit %d, %s", code, out)
	}
	out, code = terminal(t, dir, "secret1\nsecret1\n", add)
	if code != 0 || !strings.Contains(out, "Password: ") || !strings.Contains(out, "Again: ") {
		t.Errorf("exit %d, %s", code, out)
	}
}
