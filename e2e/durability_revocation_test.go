package e2e_test

import (
	"fmt"
	"testing"
)

// TestRevokedTokensSurviveKill: of 1,000 tokens that were revoked, some alone and some all at once, none is accepted
// after kill -9 and a restart; those that were not are.
func TestRevokedTokensSurviveKill(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	ann, bob := account(t, s, "ann@example.com"), account(t, s, "bob@example.com")
	var revoked []string
	for n := range 500 {
		for _, owner := range []string{ann, bob} {
			body := fmt.Sprintf(`{"label":"service %d","lifetime":86400}`, n)
			revoked = append(revoked, tokenIn(t, request(t, "POST", s.URL+"/v1/tokens", body, asJSON, bearer(owner))))
		}
	}
	for n := 0; n < len(revoked); n += 2 { // Ann's one by one, each by itself
		if got := request(t, "DELETE", s.URL+"/v1/token", "", bearer(revoked[n])); got.Status != 202 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	if got := request(t, "DELETE", s.URL+"/v1/tokens?all=1", "", bearer(bob)); got.Status != 202 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	s.kill()
	s = start(t, s.Dir, cheapHashes...)
	refused := 0
	for _, token := range revoked {
		if statusOf(t, s, token) == 401 {
			refused++
		}
	}
	if refused != len(revoked) {
		t.Errorf("%d of %d are refused", refused, len(revoked))
	}
	if statusOf(t, s, ann) != 200 || statusOf(t, s, login(t, s, "bob@example.com")) != 200 {
		t.Error("a token that was not revoked, or a new one, is refused")
	}
}
