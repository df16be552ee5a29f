package models

import (
	"context"
	"fmt"
	"strings"
)

// Failures is how far wrong tries at one thing have been counted.
type Failures struct {
	Key      []byte // names what is tried at
	FailedAt int64  // Unix milliseconds: when the last try was wrong
	ClearsAt int64  // Unix milliseconds: when all of them are forgotten
}

const failureColumns = "subject, failed_at, clears_at"

func (a *Failures) fields() []any { return []any{&a.Key, &a.FailedAt, &a.ClearsAt} }

// Failures calls add for the newest of what counts at a Unix second, at most so many, the oldest
// of them first.
func (s *Store) Failures(ctx context.Context, at int64, most int, add func(Failures)) error {
	return s.all(ctx, "SELECT "+failureColumns+" FROM (SELECT "+failureColumns+
		` FROM attempts WHERE clears_at > $1 ORDER BY failed_at DESC LIMIT $2) AS newest
		ORDER BY failed_at`, []any{at * 1000, most}, adding(add))
}

// FailuresByKey calls add for what is counted of some things.
func (s *Store) FailuresByKey(ctx context.Context, keys [][]byte, add func(Failures)) error {
	marks, args := make([]string, len(keys)), make([]any, len(keys))
	for i, key := range keys {
		marks[i], args[i] = fmt.Sprintf("$%d", i+1), key
	}
	return s.all(ctx, "SELECT "+failureColumns+" FROM attempts WHERE subject IN ("+
		strings.Join(marks, ", ")+")", args, adding(add))
}

func adding(add func(Failures)) func(scan func(...any) error) error {
	return func(scan func(...any) error) error {
		var a Failures
		err := scan(a.fields()...)
		if err == nil {
			add(a)
		}
		return err
	}
}

// RecordFailures counts one more wrong try at each of some things, in one statement. Each says when
// it was wrong and when it would be forgotten if it were the only one; those before it make that
// later. It calls add with what is counted now, by this process and others.
func (s *Store) RecordFailures(ctx context.Context, wrong []Failures, add func(Failures)) error {
	rows, args := make([]string, len(wrong)), make([]any, 0, 3*len(wrong))
	for i, a := range wrong {
		rows[i] = fmt.Sprintf("($%d, $%d, $%d)", 3*i+1, 3*i+2, 3*i+3)
		args = append(args, a.Key, a.FailedAt, a.ClearsAt)
	}
	var counted []Failures
	err := s.inTransaction(ctx, func(t transaction) error {
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
		defer found.Close() //nolint:errcheck // found.Err tells
		for found.Next() {
			var a Failures
			if err := found.Scan(a.fields()...); err != nil {
				return err
			}
			counted = append(counted, a)
		}
		return found.Err()
	})
	if err == nil {
		for _, a := range counted {
			add(a)
		}
	}
	return err
}

// DeleteFailures forgets what was counted of one thing.
func (s *Store) DeleteFailures(ctx context.Context, key []byte) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec("DELETE FROM attempts WHERE subject = $1", key)
		return err
	})
}

// PurgeFailures forgets what counts no longer at a Unix second, and all but the newest keep.
func (s *Store) PurgeFailures(ctx context.Context, at int64, keep int) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec(`DELETE FROM attempts WHERE clears_at <= $1 OR failed_at <
			(SELECT failed_at FROM attempts ORDER BY failed_at DESC LIMIT 1 OFFSET $2)`, at*1000, keep)
		return err
	})
}
