package models

import (
	"context"
	"strings"
)

// Failures sums up the failed logins that the login limiter counts under one limit key.
type Failures struct {
	Key      []byte // the limit key, a keyed hash
	FailedAt int64  // Unix milliseconds: when the last attempt failed
	ClearsAt int64  // Unix milliseconds: when the last of them no longer counts
}

const failureColumns = "subject, failed_at, clears_at"

func (f *Failures) fields() []any { return []any{&f.Key, &f.FailedAt, &f.ClearsAt} }

// Failures calls add for what still counts at a Unix second. If that is more than limit, it leaves
// out the oldest. It calls add for the oldest first.
func (s *Store) Failures(ctx context.Context, at int64, limit int, add func(Failures)) error {
	return s.all(ctx, "SELECT "+failureColumns+" FROM (SELECT "+failureColumns+
		` FROM attempts WHERE clears_at > $1 ORDER BY failed_at DESC LIMIT $2) AS newest
		ORDER BY failed_at`, []any{at * 1000, limit}, scanFailures(add))
}

// FailuresByKey calls add for what counts under some limit keys.
func (s *Store) FailuresByKey(ctx context.Context, keys [][]byte, add func(Failures)) error {
	if len(keys) == 0 {
		return nil
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	return s.all(ctx, "SELECT "+failureColumns+" FROM attempts WHERE subject IN "+
		placeholders(0, len(keys)), args, scanFailures(add))
}

func scanFailures(add func(Failures)) func(scanFunc) error {
	return func(scan scanFunc) error {
		var f Failures
		err := scan(f.fields()...)
		if err == nil {
			add(f)
		}
		return err
	}
}

// RecordFailures counts one more failed attempt under each limit key, in one statement. Each of
// failed says when the attempt failed and when it would no longer count if it were the only one;
// earlier ones make that later. It calls add with what counts now, on this node and others.
func (s *Store) RecordFailures(ctx context.Context, failed []Failures, add func(Failures)) error {
	if len(failed) == 0 {
		return nil
	}
	rows, args := make([]string, len(failed)), make([]any, 0, 3*len(failed))
	for i, f := range failed {
		rows[i] = placeholders(len(args), 3)
		args = append(args, f.Key, f.FailedAt, f.ClearsAt)
	}
	var counted []Failures
	err := s.inTransaction(ctx, func(t *transaction) error {
		counted = nil
		found, err := t.query("INSERT INTO attempts ("+failureColumns+") VALUES "+
			strings.Join(rows, ", ")+` ON CONFLICT (subject) DO UPDATE SET
			failed_at = excluded.failed_at, clears_at = excluded.clears_at + CASE
			WHEN attempts.failed_at > excluded.failed_at THEN attempts.clears_at - attempts.failed_at
			WHEN attempts.clears_at > excluded.failed_at THEN attempts.clears_at - excluded.failed_at
			ELSE 0 END RETURNING `+failureColumns, args...)
		if err != nil {
			return err
		}
		return eachRow(found, scanFailures(func(f Failures) { counted = append(counted, f) }))
	})
	if err != nil {
		return err
	}
	for _, f := range counted {
		add(f)
	}
	return nil
}

// DeleteFailures deletes what counts under a limit key.
func (s *Store) DeleteFailures(ctx context.Context, key []byte) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		_, err := t.exec("DELETE FROM attempts WHERE subject = $1", key)
		return err
	})
}

// PurgeFailures deletes what no longer counts at a Unix second. If more than keep remain, it
// deletes the oldest.
func (s *Store) PurgeFailures(ctx context.Context, at int64, keep int) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		_, err := t.exec(`DELETE FROM attempts WHERE clears_at <= $1 OR failed_at <
			(SELECT failed_at FROM attempts ORDER BY failed_at DESC LIMIT 1 OFFSET $2)`, at*1000, keep)
		return err
	})
}
