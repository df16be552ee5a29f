//go:build !client && !windows

package commands

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTokenIssueLimit: at the limit a service token is refused and says what to do, and a login
// token takes the place of another.
func TestTokenIssueLimit(t *testing.T) {
	t.Setenv("LATCHKEY_DATA", filepath.Join(t.TempDir(), "data"))
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	t.Setenv("LATCHKEY_MAX_TOKENS", "2")
	add := strings.Fields("user add ann@example.com --nickname Ann --secret-stdin --init")
	if _, said, code := run(t, "secret1\n", add...); code != 0 {
		t.Fatal(said)
	}
	issue := strings.Fields("token issue ann@example.com")
	labelled := slices.Concat(issue, []string{"--label", "CI"})
	for _, args := range [][]string{labelled, issue, issue} {
		if _, said, code := run(t, "", args...); code != 0 {
			t.Fatal(said)
		}
	}
	const refusal = "account ann@example.com: no place for another service token: of an account's at " +
		"most 2 valid tokens one is kept for a login."
	if _, said, code := run(t, "", labelled...); code != 1 || !strings.Contains(said, refusal) {
		t.Errorf("exit %d, %s", code, said)
	}
	out, _, _ := run(t, "", "token", "list", "ann@example.com", "--json")
	if strings.Count(out, "\n") != 2 {
		t.Errorf("%s, want 2 tokens", out)
	}
	if _, said, code := run(t, "", slices.Concat(issue, []string{"--max-tokens", "1"})...); code == 0 {
		t.Errorf("a limit of 1 is accepted: %s", said)
	}
}
