package models

import (
	"context"
	"database/sql"
	"errors"
)

// transaction is one write: all of it happens, or nothing.
type transaction struct {
	ctx   context.Context
	tx    *sql.Tx
	store *Store

	destructive bool // its loss must be noticed: see changeCounter
	notify      bool // the other processes must learn of it at once
}

// inTransaction runs work in a write transaction. work may run several times, because a
// transaction that the database rolled back is repeated. The cancellation of ctx is ignored, so
// that a client that disconnects does not undo half of what it asked for.
func (s *Store) inTransaction(ctx context.Context, work func(*transaction) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.traits.transactionTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		if err := s.engine.checkFile(); err != nil {
			return err
		}
		change, undone, err := s.transact(ctx, work)
		switch {
		case err == nil:
			return errors.Join(s.changes.record(change), s.engine.checkFile())
		case !undone || !s.engine.retryable(err) || !pause(ctx, attempt):
			return s.engine.classify(err)
		}
	}
}

// transact is one attempt at a transaction. It returns the number of a destructive change, and
// after an error whether it is certain that nothing was written.
func (s *Store) transact(
	ctx context.Context, work func(*transaction) error,
) (change int64, undone bool, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, true, s.ifClosed(err)
	}
	t := &transaction{ctx: ctx, tx: tx, store: s}
	if change, err = t.run(work); err == nil {
		return change, false, tx.Commit()
	}
	rollback := tx.Rollback()
	if rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && !s.engine.retryable(err) {
		err = errors.Join(err, rollback)
	}
	return 0, true, err
}

// run does everything between the begin and the commit.
func (t *transaction) run(work func(*transaction) error) (change int64, err error) {
	if err := t.checkMoved(); err != nil {
		return 0, err
	}
	if err := work(t); err != nil {
		return 0, err
	}
	if t.destructive && t.store.changes != nil {
		if change, err = t.next(changeSequence); err != nil {
			return 0, err
		}
	}
	if t.notify && t.store.traits.notify != "" {
		_, err = t.exec(t.store.traits.notify)
	}
	return change, err
}

// query runs a query. The caller closes its rows.
func (t *transaction) query(query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.ctx, t.store.engine.rebind(query), plain(args)...)
}

// exec runs a statement and returns how many rows it changed.
func (t *transaction) exec(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, t.store.engine.rebind(query), plain(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// scan reads one row. Errors: ErrNotFound if there is no row.
func (t *transaction) scan(query string, args []any, dest ...any) error {
	err := t.tx.QueryRowContext(t.ctx, t.store.engine.rebind(query), plain(args)...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// eachRow calls next for each row, and closes the rows.
func eachRow(rows *sql.Rows, next func(scanFunc) error) error {
	defer rows.Close() //nolint:errcheck // rows.Err returns it
	for rows.Next() {
		if err := next(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// begin starts a transaction with a statement that locks something until the transaction ends.
func (s *Store) begin(ctx context.Context, lock string) (*sql.Tx, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil || lock == "" {
		return tx, s.engine.classify(err)
	}
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return nil, errors.Join(s.engine.classify(err), tx.Rollback())
	}
	return tx, nil
}
