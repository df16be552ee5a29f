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
