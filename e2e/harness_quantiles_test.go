package e2e_test

import (
	"fmt"
	"slices"
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
