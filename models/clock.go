package models

import (
	"context"
	"errors"
	"time"
)

// now is the one clock, in whole seconds.
func now() int64 { return time.Now().Unix() }

// AdvanceClock lets the store's own time pass by at most so many seconds, not beyond this process's
// clock, and returns it in Unix seconds. It never goes back, but while nothing is remembered it is
// the clock's. What is forgotten is forgotten by it, for a clock may stand ahead.
func (s *Store) AdvanceClock(ctx context.Context, seconds int64) (int64, error) {
	var at int64
	err := s.scan(ctx, "SELECT value FROM sequences WHERE name = $1", []any{"clock"}, &at)
	if err == nil && seconds <= 0 || err != nil && !errors.Is(err, ErrNotFound) {
		return at, err
	}
	err = s.inTransaction(ctx, func(t transaction) error {
		most := now()
		if _, err := t.exec(`INSERT INTO sequences (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, "clock", most); err != nil {
			return err
		}
		return t.scan(`UPDATE sequences SET value = CASE
			WHEN NOT EXISTS (SELECT 1 FROM tokens) AND NOT EXISTS (SELECT 1 FROM endings) THEN $1
			WHEN value + $2 <= $3 THEN value + $4
			WHEN value <= $5 THEN $6
			ELSE value END WHERE name = $7 RETURNING value`,
			[]any{most, seconds, most, seconds, most, most, "clock"}, &at)
	})
	return at, err
}
