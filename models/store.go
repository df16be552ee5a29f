package models

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a database: SQLite in a data directory, or PostgreSQL. It is safe for concurrent use,
// and several processes may have the same database open.
type Store struct {
	engine engine
	write  *sql.DB
	read   *sql.DB

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by query text, on read; nil after Close
}

// engine is what SQLite and PostgreSQL do differently. All SQL is one text for both.
type engine interface {
	// spell is a text in the engine's own spelling of parameters.
	rebind(query string) string
	// dialect is goose's name of the engine.
	dialect() goose.Dialect
	// hasTable is a query with one parameter for how many tables have a name.
	hasTable() string
	// present fails when the database is not the one that was opened, or not whole.
	checkFile() error
	// committed makes sure that a transaction stays, and of one with a number, that its loss would
	// be noticed.
	committed(change int64) error
	// numbers says whether changes that take something away are to be numbered.
	countsChanges() bool
	// classify wraps a fault of the engine in ErrUnavailable; answers pass through.
	classify(err error) error
	// announce is a statement by which processes that listen learn of a change, "" for none.
	notifyStatement() string
	// passes says whether what failed may work when it is tried again in a moment.
	retryable(err error) bool
	// timeout bounds one transaction, the waiting for it included, and patience how long one lookup
	// may take, 0 for as long as it takes.
	timeout() (transaction, lookup time.Duration)
	close() error
}

// String names the database.
func (s *Store) String() string { return fmt.Sprint(s.engine) }

// Shared says whether several nodes may have this database, each on a machine of its own.
func (s *Store) Shared() bool {
	_, shared := s.engine.(*postgres)
	return shared
}

// Ping says whether the database can be read now.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.engine.checkFile(); err != nil {
		return err
	}
	var one int
	return s.scan(ctx, "SELECT 1 FROM sequences WHERE name = $1", []any{"user"}, &one)
}

// Close closes the database. The last process to close SQLite's folds its log into the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, statement := range s.prepared {
		errs = append(errs, statement.Close())
	}
	s.prepared = nil
	return errors.Join(append(errs, s.engine.close(), s.read.Close(), s.write.Close())...)
}

// query runs a reading query. SQLite's are prepared once and kept.
func (s *Store) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if s.Shared() {
		if s.isClosed() {
			return nil, errClosed
		}
		return s.read.QueryContext(ctx, query, args...)
	}
	statement, err := s.statement(ctx, query) //nolint:sqlclosecheck // kept: Close
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

var errClosed = fmt.Errorf("%w: closed", ErrUnavailable)

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prepared == nil
}

// statement prepares a reading query once and keeps it.
func (s *Store) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if statement := s.prepared[query]; statement != nil {
		return statement, nil
	}
	if s.prepared == nil {
		return nil, errClosed
	}
	statement, err := s.read.PrepareContext(ctx, s.engine.rebind(query)) //nolint:sqlclosecheck // kept
	if err == nil {
		s.prepared[query] = statement
	}
	return statement, err
}

// scan reads one row; no row is ErrNotFound.
func (s *Store) scan(ctx context.Context, query string, args []any, into ...any) error {
	err := ErrNotFound
	found := s.all(ctx, query, args, func(scan func(...any) error) error {
		err = nil
		return scan(into...)
	})
	return cmp.Or(found, err)
}

// all reads every row, calling next for each with a function that scans it. A caller that goes away
// does not cut it short: SQLite answers in microseconds, and its driver's interrupt would hit every
// statement of the connection.
func (s *Store) all(
	ctx context.Context, query string, args []any, next func(scan func(...any) error) error,
) error {
	_, limit := s.engine.timeout()
	ctx = context.WithoutCancel(ctx)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	for try := 0; ; try++ {
		begun, err := s.allOnce(ctx, query, args, next)
		if err == nil || begun || !s.engine.retryable(err) || !pause(ctx, try) {
			return s.engine.classify(err)
		}
	}
}

// allOnce is one try at all. It says whether next was called.
func (s *Store) allOnce(
	ctx context.Context, query string, args []any, next func(scan func(...any) error) error,
) (begun bool, err error) {
	rows, err := s.query(ctx, query, plain(args))
	if err != nil {
		return false, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		begun = true
		if err := next(rows.Scan); err != nil {
			return begun, err
		}
	}
	return begun, rows.Err()
}

// plain are arguments as both drivers understand them alike: integers, texts and bytes.
func plain(args []any) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			value = arg // the driver says what is wrong with it
		}
		values[i] = value
	}
	return values
}

// pause waits a moment before another try, longer each time, and says whether there is time for it.
func pause(ctx context.Context, try int) bool {
	wait := time.NewTimer(time.Duration(min(10<<min(try, 4), 100)) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}

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

// now is the one clock, in whole seconds.
func now() int64 { return time.Now().Unix() }
