package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCommandsDescribeTokens checks what the commands print about tokens and keys.
func TestCommandsDescribeTokens(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--scope", "read", "--scope", "metrics")...)
	ann := account(t, s, "ann@example.com")
	token := tokenIn(t, request(t, "POST", s.URL+"/v1/tokens",
		`{"label":"CI","scope":"metrics","lifetime":3600}`, asJSON, bearer(ann)))
	list := mustRun(t, s.Dir, "", "token", "list", "ann@example.com")
	id := strings.Fields(list)[9]
	if !strings.Contains(list, "metrics") || !strings.Contains(list, "CI") || strings.Contains(list, token) {
		t.Errorf("token list prints %q, want the label and the scope but not the token", list)
	}
	valid := mustRun(t, s.Dir, "", "token", "inspect", token)
	if !strings.Contains(valid, `Valid: token `) ||
		!strings.Contains(valid, `"CI" of ann@example.com (user 1, active), e-mail, metrics`) {
		t.Errorf("token inspect prints %q, want the account, the client type and the scope", valid)
	}
	mustRun(t, s.Dir, "", "token", "revoke", id)
	mustRun(t, s.Dir, "", "token", "revoke", "--all", "ann@example.com", "--yes")
	got, _, code := latchkey(t, s.Dir, token+"\n", "token", "inspect", "-")
	if code != 1 || !strings.Contains(got, "(revoked on the command line)") {
		t.Errorf("token inspect of a revoked token: exit %d, %q, want exit 1 and the reason", code, got)
	}
	read := mustRun(t, s.Dir, "", "token", "issue", "ann@example.com", "--scope", "read",
		"--label", "backup")
	response := request(t, "POST", s.URL+"/v1/token/secret", fmt.Sprintf(`{"token":%q}`, read), asJSON)
	if response.Status != 200 || !strings.Contains(response.Body, `"scope":"read"`) {
		t.Errorf("introspection: status %d, want 200 with the scope read: %s", response.Status, response.Body)
	}
	if got := mustRun(t, s.Dir, "", "key", "list"); !strings.Contains(got, "signs") {
		t.Errorf("key list prints %q, want a signing key", got)
	}
	for _, invalid := range [][]string{
		{"token", "revoke"}, {"token", "revoke", "x"}, {"token", "revoke", "9-1795421052-0"},
		{"token", "revoke", read, "--all", "ann@example.com"}, {"key", "retire", "1"}, {"key", "retire",
			"99", "--now", "--yes"},
		{"token", "issue", "ann@example.com", "--scope", "write"}, {"token", "list",
			"nobody@example.com"},
		{"--revocation-lag", "1ms", "user", "list"}, {"--key-rotation", "1s", "user", "list"},
		{"--token-ttl", "1000h", "user", "list"}, {"serve", "--addr", "127.0.0.1:0", "--scope",
			"Not A Name"},
	} {
		out, stderr, code := latchkey(t, s.Dir, "", invalid...)
		if code == 0 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q, want an error in one line", invalid, code, out, stderr)
		}
	}
}
