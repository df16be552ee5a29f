package models

import (
	"context"
	"errors"
	"time"
)

// now is the process's clock in whole Unix seconds.
func now() int64 { return time.Now().Unix() }

// AdvanceClock moves the store's clock forward by at most n seconds, but not past the process's
// clock, and returns it in Unix seconds. The store's clock never goes back, except that it follows
// the process's clock while no token and no revocation is stored. It decides what may be deleted
// as old, because a process's clock can be ahead.
func (s *Store) AdvanceClock(ctx context.Context, n int64) (int64, error) {
	var at int64
	err := s.scan(ctx, "SELECT value FROM sequences WHERE name = $1", []any{storeClock}, &at)
	if err == nil && n <= 0 || err != nil && !errors.Is(err, ErrNotFound) {
		return at, err
	}
	err = s.inTransaction(ctx, func(t *transaction) error {
		limit := now()
		if _, err := t.exec(`INSERT INTO sequences (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, storeClock, limit); err != nil {
			return err
		}
		return t.scan(`UPDATE sequences SET value = CASE
			WHEN NOT EXISTS (SELECT 1 FROM tokens) AND NOT EXISTS (SELECT 1 FROM endings) THEN $1
			WHEN value + $2 <= $3 THEN value + $4
			WHEN value <= $5 THEN $6
			ELSE value END WHERE name = $7 RETURNING value`,
			[]any{limit, n, limit, n, limit, limit, storeClock}, &at)
	})
	return at, err
}
