package models

import "context"

// Attempts is how far wrong tries at one thing have been counted.
type Attempts struct {
	Key      []byte // names what is tried at
	FailedAt int64  // Unix seconds: when the last try was wrong
	ClearsAt int64  // Unix seconds: when all of them are forgotten
}

// Attempts calls add for the newest of what counts at a Unix second, at most so many, the oldest
// of them first.
func (s *Store) Attempts(ctx context.Context, at int64, most int, add func(Attempts)) error {
	return s.all(ctx, `SELECT subject, failed_at, clears_at FROM
		(SELECT subject, failed_at, clears_at FROM attempts WHERE clears_at > $1
			ORDER BY failed_at DESC LIMIT $2) AS newest
		ORDER BY failed_at`, []any{at, most}, func(scan func(...any) error) error {
		var a Attempts
		err := scan(&a.Key, &a.FailedAt, &a.ClearsAt)
		if err == nil {
			add(a)
		}
		return err
	})
}

// NoteAttempts stores a count of each of some things, unless a higher one is there.
func (s *Store) NoteAttempts(ctx context.Context, counts []Attempts) error {
	return s.inTransaction(ctx, func(t transaction) error {
		for _, a := range counts {
			_, err := t.exec(`INSERT INTO attempts (subject, failed_at, clears_at)
				VALUES ($1, $2, $3) ON CONFLICT (subject) DO UPDATE
				SET failed_at = excluded.failed_at, clears_at = excluded.clears_at
				WHERE attempts.clears_at < excluded.clears_at`, a.Key, a.FailedAt, a.ClearsAt)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetAttempts forgets what was counted of one thing.
func (s *Store) ForgetAttempts(ctx context.Context, key []byte) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec("DELETE FROM attempts WHERE subject = $1", key)
		return err
	})
}

// PurgeAttempts forgets what counts no longer at a Unix second, and all but the newest keep.
func (s *Store) PurgeAttempts(ctx context.Context, at int64, keep int) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec(`DELETE FROM attempts WHERE clears_at <= $1 OR failed_at <
			(SELECT failed_at FROM attempts ORDER BY failed_at DESC LIMIT 1 OFFSET $2)`, at, keep)
		return err
	})
}
