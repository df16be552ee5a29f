package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Store is a database: SQLite in a data directory, or PostgreSQL. It is safe for concurrent use,
// and several processes can have the same database open.
type Store struct {
	engine  engine
	traits  traits
	write   *sql.DB
	read    *sql.DB
	changes *changeCounter // nil with PostgreSQL: see changeCounter
	closed  atomic.Bool
}

// String names the database in messages, without credentials.
func (s *Store) String() string { return s.engine.String() }

// Shared reports whether nodes on several machines can use this database.
func (s *Store) Shared() bool { return s.traits.shared }

// PollInterval returns how often a process must call Head to learn of changes in time.
func (s *Store) PollInterval() time.Duration { return s.traits.pollInterval }

// Listen calls notified whenever Head may have changed, until ctx is done. It is only a hint: a
// notification is lost with its connection, and SQLite has none. So call Head every PollInterval,
// too.
func (s *Store) Listen(ctx context.Context, notified func()) { s.engine.listen(ctx, notified) }

// Ping returns an error if the database cannot be read.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.engine.checkFile(); err != nil {
		return err
	}
	var one int
	return s.scan(ctx, "SELECT 1 FROM sequences WHERE name = $1", []any{userSequence}, &one)
}

// Close closes the database. The last process that closes a SQLite database moves its write-ahead
// log into the database file.
func (s *Store) Close() error {
	s.closed.Store(true)
	return errors.Join(s.changes.close(), s.read.Close(), s.write.Close())
}

// errClosed is the error of a closed store. database/sql does not export its own.
var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

// ifClosed returns errClosed in place of err if the store is closed.
func (s *Store) ifClosed(err error) error {
	if err != nil && s.closed.Load() {
		return errClosed
	}
	return err
}

// A scanFunc copies the columns of the current row, as Rows.Scan does.
type scanFunc func(dest ...any) error

// scan reads one row. Errors: ErrNotFound if there is no row.
func (s *Store) scan(ctx context.Context, query string, args []any, dest ...any) error {
	found := false
	err := s.all(ctx, query, args, func(scan scanFunc) error {
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return err
}

// exists reports whether a query finds a row.
func (s *Store) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var one int
	err := s.scan(ctx, query, args, &one)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// all calls next for each row that a query finds. The cancellation of ctx is ignored: SQLite
// returns in microseconds, and its driver would interrupt every statement of the connection.
func (s *Store) all(
	ctx context.Context, query string, args []any, next func(scan scanFunc) error,
) error {
	ctx = context.WithoutCancel(ctx)
	if limit := s.traits.readTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	for attempt := 0; ; attempt++ {
		started, err := s.allOnce(ctx, query, args, next)
		if err == nil || started || !s.engine.retryable(err) || !pause(ctx, attempt) {
			return s.engine.classify(err)
		}
	}
}

// allOnce runs all once, without retrying. It reports whether next was called.
func (s *Store) allOnce(
	ctx context.Context, query string, args []any, next func(scan scanFunc) error,
) (started bool, err error) {
	rows, err := s.read.QueryContext(ctx, s.engine.rebind(query), plain(args)...)
	if err != nil {
		return false, s.ifClosed(err)
	}
	err = eachRow(rows, func(scan scanFunc) error {
		started = true
		return next(scan)
	})
	return started, err
}

// plain converts arguments to the types that both drivers treat alike: integers, text and bytes.
func plain(args []any) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			value = arg // the driver reports it
		}
		values[i] = value
	}
	return values
}

// placeholders writes n parameters in parentheses. The first has the number after+1.
func placeholders(after, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", after+i+1)
	}
	return "(" + strings.Join(marks, ", ") + ")"
}

// pause waits before the next attempt, from 10 ms up to 100 ms. It returns false at once when ctx
// is done.
func pause(ctx context.Context, attempt int) bool {
	wait := time.NewTimer(time.Duration(min(10<<min(attempt, 4), 100)) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}
