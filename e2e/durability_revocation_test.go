package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"latchkey/models/postgrestest"
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

// TestFailedRevocation makes the database fail in the middle of a revocation of all other tokens. The
// server reports an error, and all tokens stay valid, as the store says.
func TestFailedRevocation(t *testing.T) {
	t.Parallel()
	if postgrestest.Asked() {
		t.Skip("only for SQLite: the trigger is in its language")
	}
	s := start(t, t.TempDir(), cheapHashes...)
	ann := account(t, s, "ann@example.com")
	others := []string{serviceToken(t, s, ann, "one"), serviceToken(t, s, ann, "two")}
	execSQL(t, filepath.Join(s.Dir, "latchkey.db"), `CREATE TRIGGER fault BEFORE INSERT ON endings
		WHEN (SELECT COUNT(*) FROM endings) > 0 BEGIN SELECT RAISE(ABORT, 'a fault'); END`)
	got := requestOnce(t, "DELETE", s.URL+"/v1/tokens", "", bearer(ann))
	if got.Status < 500 {
		t.Errorf("the revocation: status %d, want 500 or 503: %s", got.Status, got.Body)
	}
	requireStatus(t, s, append(others, ann), 200)
}
