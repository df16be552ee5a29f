package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// writeTimeout bounds one write transaction, waiting for the writer included.
const writeTimeout = 10 * time.Second

// Store is the database of one data directory. It is safe for concurrent use, and several
// processes may have the same data directory open.
type Store struct {
	path  string
	file  os.FileInfo // of the database when it was opened
	write *sql.DB
	read  *sql.DB
	mark  *mark

	largest atomic.Int64 // size of the file in bytes, as far as it was seen
	cut     atomic.Bool  // a part of the file was missing

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by query text, on read
}

// Open opens the database of a data directory, which must exist, and checks it; with create it
// makes a missing or empty one. It does not migrate: Migrate does. Errors: ErrNoDatabase,
// ErrForeign, ErrDamaged, ErrNewerDatabase, or the file system's.
func Open(ctx context.Context, dir string, create bool) (*Store, error) {
	return open(ctx, sqliteDriver, dir, create)
}

func open(ctx context.Context, driver, dir string, create bool) (*Store, error) {
	path := filepath.Join(dir, DatabaseFile)
	state, err := Inspect(dir)
	if err != nil {
		return nil, err
	}
	if state != FilePresent {
		if !create {
			return nil, fmt.Errorf("%w in %s", ErrNoDatabase, dir)
		}
		if err := createFile(ctx, path, state); err != nil {
			return nil, err
		}
	}
	file, err := checkWritable(path)
	if err != nil {
		return nil, err
	}
	write, read, err := openPools(driver, path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, file: file, write: write, read: read, prepared: map[string]*sql.Stmt{}}
	s.largest.Store(file.Size())
	err = s.check(ctx)
	if err == nil {
		s.mark, err = openMark(dir)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// checkWritable opens the file for writing, which a read-only file or file system refuses.
func checkWritable(path string) (os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names the directory
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}

// checkPresent refuses to go on when the file at the database's path is no longer the one that was
// opened, or not all of it: what is written to that one is lost, and what others write is not seen.
func (s *Store) checkPresent() error {
	now, err := os.Stat(s.path)
	if err != nil || !os.SameFile(s.file, now) || s.isCut(now.Size()) {
		return fmt.Errorf("%w: %s was removed, replaced or cut while it was open: restart",
			ErrUnavailable, s.path)
	}
	return nil
}

// isCut says whether a part of the file was ever missing. The file shrinks rightly when another
// program vacuums it; then its header says so.
func (s *Store) isCut(size int64) bool {
	if largest := s.largest.Load(); size >= largest {
		s.largest.CompareAndSwap(largest, size)
	} else if header, err := readHeader(s.path); err != nil || size < sizeOf(header) {
		s.cut.Store(true) // for good: SQLite would fill the gap with zeros
	}
	return s.cut.Load()
}

func (s *Store) check(ctx context.Context) error {
	if err := checkIntegrity(ctx, s.write, s.path); err != nil {
		return err
	}
	if err := checkSettings(ctx, s.write, s.read); err != nil {
		return err
	}
	return s.checkVersion(ctx)
}

// checkVersion refuses a database whose newest migration this program does not have.
func (s *Store) checkVersion(ctx context.Context) error {
	has, err := s.hasTable(ctx, goose.DefaultTablename)
	if err != nil || !has {
		return err
	}
	var version int64
	err = s.write.QueryRowContext(ctx,
		"SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename).Scan(&version)
	if err != nil {
		return err
	}
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	if newest := sources[len(sources)-1].Version; version > newest {
		return fmt.Errorf("%w: %s has schema %d, this program knows %d",
			ErrNewerDatabase, s.path, version, newest)
	}
	return nil
}

func (s *Store) hasTable(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.write.QueryRowContext(ctx,
		"SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?1", name).Scan(&n)
	return n > 0, err
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithGoMigrations(addChecksums()), goose.WithSlog(slog.New(slog.DiscardHandler)))
}

// Migrate brings the schema up to this program's, each step whole or not at all.
func (s *Store) Migrate(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", s.path, classify(err))
	}
	return nil
}

// Ping says whether the database can be read now.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.checkPresent(); err != nil {
		return err
	}
	var one int
	return s.scan(ctx, "SELECT 1 FROM sequences WHERE name = $1", []any{"user"}, &one)
}

// Close closes the database; the last process to close it folds the log into the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, statement := range s.prepared {
		errs = append(errs, statement.Close())
	}
	s.prepared = nil
	if s.mark != nil {
		errs = append(errs, s.mark.close())
	}
	return errors.Join(append(errs, s.read.Close(), s.write.Close())...)
}

// statement prepares a reading query once and keeps it.
func (s *Store) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if statement := s.prepared[query]; statement != nil {
		return statement, nil
	}
	if s.prepared == nil {
		return nil, fmt.Errorf("%w: closed", ErrUnavailable)
	}
	rewritten := forSQLite(query)
	statement, err := s.read.PrepareContext(ctx, rewritten) //nolint:sqlclosecheck // kept: Close
	if err == nil {
		s.prepared[query] = statement
	}
	return statement, classify(err)
}

// scan reads one row; no row is ErrNotFound. A lookup takes microseconds, so it is not cancelled:
// the driver's interrupt would hit every statement of the connection.
func (s *Store) scan(ctx context.Context, query string, args []any, into ...any) error {
	statement, err := s.statement(ctx, query) //nolint:sqlclosecheck // kept: Close
	if err != nil {
		return err
	}
	return oneRow(statement.QueryRowContext(context.WithoutCancel(ctx), args...), into...)
}

// all reads every row, calling next for each with a function that scans it.
func (s *Store) all(
	ctx context.Context, query string, args []any, next func(scan func(...any) error) error,
) error {
	statement, err := s.statement(ctx, query) //nolint:sqlclosecheck // kept: Close
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := next(rows.Scan); err != nil {
			return classify(err)
		}
	}
	return classify(rows.Err())
}

func oneRow(row *sql.Row, into ...any) error {
	err := row.Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return classify(err)
}

// transaction is one write, whole or not at all.
type transaction struct {
	ctx context.Context
	tx  *sql.Tx

	takesAway *bool // it must never be lost: see mark
}

// inTransaction runs work in one write transaction. A caller that goes away does not cut it in
// half: the context's cancellation is not passed on, its own time limit is.
func (s *Store) inTransaction(ctx context.Context, work func(transaction) error) error {
	if err := s.checkPresent(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	var takesAway bool
	var change int64
	t := transaction{ctx, tx, &takesAway}
	err = work(t)
	if err == nil && takesAway {
		change, err = t.next("change")
	}
	if err != nil {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			return errors.Join(classify(err), classify(rollback))
		}
		return classify(err)
	}
	if err := tx.Commit(); err != nil {
		return classify(err)
	}
	if takesAway {
		if err := s.mark.raise(change); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrUnavailable, markFile, err)
		}
	}
	if err := s.mark.probe(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, markFile, err)
	}
	return s.checkPresent()
}

// exec runs a statement and returns how many rows it touched.
func (t transaction) exec(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, forSQLite(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// scan reads one row; no row is ErrNotFound.
func (t transaction) scan(query string, args []any, into ...any) error {
	return oneRow(t.tx.QueryRowContext(t.ctx, forSQLite(query), args...), into...)
}

// next draws the next number of a sequence.
func (t transaction) next(sequence string) (int64, error) {
	var value int64
	err := t.scan("UPDATE sequences SET value = value + 1 WHERE name = $1 RETURNING value",
		[]any{sequence}, &value)
	return value, err
}

// now is the one clock, in whole seconds.
func now() int64 { return time.Now().Unix() }
