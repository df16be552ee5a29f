package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// quantiles summarises many durations.
type quantiles struct{ p50, p99, max time.Duration }

// quantilesOf summarises durations; it sorts them.
func quantilesOf(took []time.Duration) quantiles {
	slices.Sort(took)
	return quantiles{took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}

func (q quantiles) String() string {
	exact := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v", exact(q.p50), exact(q.p99), exact(q.max))
}

// patience is how long a test waits for what a working server does within moments. Only a broken one
// needs longer, however slow and busy the machine is.
const patience = 3 * time.Minute

// requireWithin reports a time over its limit. make times and make torture, which need an idle machine,
// set LATCHKEY_TEST_TIMES. Without it the time is only logged, because it depends on the machine.
func requireWithin(tb testing.TB, what string, took, limit time.Duration) {
	tb.Helper()
	switch {
	case took <= limit:
	case os.Getenv("LATCHKEY_TEST_TIMES") != "":
		tb.Errorf("%s took %v, want at most %v", what, took, limit)
	default:
		tb.Logf("%s took %v; on an idle machine it takes at most %v", what, took, limit)
	}
}
