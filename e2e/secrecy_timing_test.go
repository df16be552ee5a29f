//go:build torture

package e2e_test

import (
	"slices"
	"testing"
	"time"
)

// TestTortureTiming: a login that is refused takes as long for an account that exists as for one that does not, and
// for one that is disabled: the medians of 500 each, taken in turns, differ by at most 2 %.
func TestTortureTiming(t *testing.T) {
	s := start(t, t.TempDir(), "--hide-accounts", "--account-tries", "100000", "--log-level", "error")
	account(t, s, "known@example.com")
	account(t, s, "disabled@example.com")
	mustRun(t, s.Dir, "", "user", "disable", "disabled@example.com")
	names := []string{"known@example.com", "disabled@example.com", "unknown0@example.com"}
	took, bodies := map[string][]time.Duration{}, map[string]string{}
	for i := range 500 {
		for j := range names {
			name := names[(i+j)%len(names)] // none is always first
			started := time.Now()
			got := request(t, "POST", s.URL+"/v1/token", loginJSON(name, "secret2"), asJSON)
			took[name] = append(took[name], time.Since(started))
			if bodies[name] = got.Body; got.Status != 401 {
				t.Fatalf("%s: %d", name, got.Status)
			}
		}
	}
	var medians []time.Duration
	for _, name := range names {
		slices.Sort(took[name])
		medians = append(medians, took[name][len(took[name])/2])
		t.Logf("%-22s median %v, 10 %% %v, 90 %% %v", name, medians[len(medians)-1], took[name][50], took[name][450])
		if bodies[name] != bodies[names[0]] {
			t.Errorf("%s is answered %s", name, bodies[name])
		}
	}
	if most, least := slices.Max(medians), slices.Min(medians); float64(most) > 1.02*float64(least) {
		t.Errorf("the medians differ: %v", medians)
	}
}
