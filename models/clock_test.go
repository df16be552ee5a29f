package models

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAdvanceClock: the store's clock follows the process's while nothing is stored, and then moves
// only when AdvanceClock is called.
func TestAdvanceClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeWithKey(t)
		steps := []struct {
			name   string
			passes time.Duration // by the process's clock
			before func()
			n      int64
			behind int64 // seconds behind the process's clock
		}{
			{"first", 0, func() {}, 0, 0},
			{"nothing stored", 48 * time.Hour, func() {}, 1, 0},
			{"only read", time.Hour, func() {}, 0, 3600},
			{"a token", time.Hour, func() { newToken(t, s, newUser(t, s, "a@b.cn").ID) }, 3600, 3600},
			{"not past the clock", 0, func() {}, 4000, 0},
			{"ten years", 87600 * time.Hour, func() {}, 10, 87600*3600 - 10},
		}
		for _, step := range steps {
			time.Sleep(step.passes)
			step.before()
			at, err := s.AdvanceClock(t.Context(), step.n)
			if behind := now() - at; err != nil || behind != step.behind {
				t.Errorf("%s: %d seconds behind, want %d: %v", step.name, behind, step.behind, err)
			}
		}
	})
}
