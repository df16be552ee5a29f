package e2e_test

import (
	"fmt"
	"slices"
	"testing"
)

// TestRevokedTokensSurviveKill revokes 1,000 tokens, half one by one and half all at once, and
// kills the server. After the restart all of them are invalid, and the other tokens are valid.
func TestRevokedTokensSurviveKill(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), slices.Concat(cheapHashes, []string{"--max-tokens", "1000"})...)
	ann, bob := account(t, s, "ann@example.com"), account(t, s, "bob@example.com")
	var revoked []string
	for n := range 500 {
		for _, owner := range []string{ann, bob} {
			revoked = append(revoked, serviceToken(t, s, owner, fmt.Sprint("service ", n)))
		}
	}
	for n := 0; n < len(revoked); n += 2 { // Ann's
		revoke(t, s, revoked[n])
	}
	checkStatus(t, "revocation of all", request(t, "DELETE", s.URL+"/v1/tokens?all=1", "",
		bearer(bob)), 202)
	s.kill()
	s = start(t, s.Dir, cheapHashes...)
	rejected := 0
	for _, token := range revoked {
		if statusOf(t, s, token) == 401 {
			rejected++
		}
	}
	if rejected != len(revoked) {
		t.Errorf("%d revoked tokens are rejected, want all %d", rejected, len(revoked))
	}
	if got := statusOf(t, s, ann); got != 200 {
		t.Errorf("a token that was not revoked: status %d, want 200", got)
	}
	if got := statusOf(t, s, login(t, s, "bob@example.com")); got != 200 {
		t.Errorf("a new token: status %d, want 200", got)
	}
}
