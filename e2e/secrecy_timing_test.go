//go:build torture

package e2e_test

import (
	"slices"
	"testing"
	"time"
)

// TestTortureTiming measures failed logins of an existing, a disabled and an unknown account, 500
// each in turns. The medians differ by at most 2 %, and the responses are equal.
func TestTortureTiming(t *testing.T) {
	s := start(t, t.TempDir(), "--hide-accounts", "--account-tries", "100000", "--log-level", "error")
	account(t, s, "known@example.com")
	account(t, s, "disabled@example.com")
	mustRun(t, s.Dir, "", "user", "disable", "disabled@example.com")
	names := []string{"known@example.com", "disabled@example.com", "unknown0@example.com"}
	took, bodies := map[string][]time.Duration{}, map[string]string{}
	for i := range 500 {
		for j := range names {
			name := names[(i+j)%len(names)] // rotates who comes first
			started := time.Now()
			got := request(t, "POST", s.URL+"/v1/token", loginJSON(name, "secret2"), asJSON)
			took[name] = append(took[name], time.Since(started))
			if bodies[name] = got.Body; got.Status != 401 {
				t.Fatalf("%s: status %d, want 401", name, got.Status)
			}
		}
	}
	var medians []time.Duration
	for _, name := range names {
		slices.Sort(took[name])
		medians = append(medians, took[name][len(took[name])/2])
		t.Logf("%-22s median %v, 10 %% %v, 90 %% %v", name, medians[len(medians)-1], took[name][50],
			took[name][450])
		if bodies[name] != bodies[names[0]] {
			t.Errorf("the response to %s is %s, want %s", name, bodies[name], bodies[names[0]])
		}
	}
	if slowest, fastest := slices.Max(medians), slices.Min(medians); float64(slowest) > 1.02*float64(fastest) {
		t.Errorf("the medians differ by more than 2 %%: %v", medians)
	}
}
