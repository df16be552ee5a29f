package models

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLetPass: the store's own time follows the clock while nothing is remembered, and then only by what has passed.
func TestLetPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeWithKey(t)
		ctx := t.Context()
		steps := []struct {
			name    string
			clock   time.Duration // by how much it goes on first
			before  func()
			seconds int64
			behind  int64 // the clock
		}{
			{"first", 0, func() {}, 0, 0},
			{"nothing is remembered", 48 * time.Hour, func() {}, 1, 0},
			{"asked alone", time.Hour, func() {}, 0, 3600},
			{"a token", time.Hour, func() { newToken(t, s, newUser(t, s, "a@b.cn").ID) }, 3600, 3600},
			{"not beyond the clock", 0, func() {}, 4000, 0},
			{"ten years", 87600 * time.Hour, func() {}, 10, 87600*3600 - 10},
		}
		for _, step := range steps {
			time.Sleep(step.clock)
			step.before()
			got, err := s.AdvanceClock(ctx, step.seconds)
			if want := time.Now().Unix() - step.behind; err != nil || got != want {
				t.Errorf("%s: %d seconds behind, want %d: %v", step.name, time.Now().Unix()-got, step.behind, err)
			}
		}
	})
}
