package models

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// transaction is one write, whole or not at all.
type transaction struct {
	ctx    context.Context
	tx     *sql.Tx
	engine engine

	effects *effects
}

// effects are what else a transaction has to do.
type effects struct {
	destructive bool // it must never be lost: see mark
	notify      bool // every process is to know at once: an ending, or a change to the keys
}

// inTransaction runs work in one write transaction; work may run several times when the database
// asks for it. A caller that goes away does not cut it in half: the context's cancellation is not
// passed on, its own time limit is.
func (s *Store) inTransaction(ctx context.Context, work func(transaction) error) error {
	limit, _ := s.engine.timeout()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for try := 0; ; try++ {
		if err := s.engine.checkFile(); err != nil {
			return err
		}
		change, undone, err := s.transact(ctx, work)
		switch {
		case err == nil:
			return errors.Join(s.engine.committed(change), s.engine.checkFile())
		case !undone || !s.engine.retryable(err) || !pause(ctx, try):
			return s.engine.classify(err)
		}
	}
}

// transact is one try at a transaction. It returns its number, if it has one, and after an error
// whether it is certain that nothing was written.
func (s *Store) transact(
	ctx context.Context, work func(transaction) error,
) (change int64, undone bool, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, true, err
	}
	t := transaction{ctx, tx, s.engine, &effects{}}
	if err = t.checkMoved(); err == nil {
		err = work(t)
	}
	if err == nil && t.effects.destructive && s.engine.countsChanges() {
		change, err = t.next("change")
	}
	if announce := s.engine.notifyStatement(); err == nil && t.effects.notify && announce != "" {
		_, err = t.exec(announce)
	}
	if err == nil {
		return change, false, tx.Commit()
	}
	rollback := tx.Rollback()
	if rollback == nil || errors.Is(rollback, sql.ErrTxDone) || s.engine.retryable(err) {
		return 0, true, err
	}
	return 0, true, errors.Join(err, rollback)
}

// checkMoved refuses to write to a SQLite database that was moved while it was open. PostgreSQL's
// is not moved while there are nodes.
func (t transaction) checkMoved() error {
	if _, ok := t.engine.(*sqlite); !ok {
		return nil
	}
	var one int
	err := t.scan("SELECT 1 FROM sequences WHERE name = $1", []any{movedMark}, &one)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return cmp.Or(err, fmt.Errorf("%w: %w", ErrUnavailable, ErrMoved))
}

// query runs a query; the caller closes its rows.
func (t transaction) query(query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.ctx, t.engine.rebind(query), plain(args)...)
}

// exec runs a statement and returns how many rows it touched.
func (t transaction) exec(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, t.engine.rebind(query), plain(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// scan reads one row; no row is ErrNotFound.
func (t transaction) scan(query string, args []any, into ...any) error {
	err := t.tx.QueryRowContext(t.ctx, t.engine.rebind(query), plain(args)...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// next draws the next number of a sequence.
func (t transaction) next(sequence string) (int64, error) {
	if sequence == "ending" || sequence == "ring" {
		t.effects.notify = true
	}
	var value int64
	err := t.scan("UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value",
		[]any{sequence}, &value)
	return value, err
}

// lock keeps other transactions that lock or draw from a sequence out until the commit.
func (t transaction) lock(sequence string) error {
	_, err := t.exec("UPDATE sequences SET value = value WHERE name = $1", sequence)
	return err
}
