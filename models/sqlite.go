package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

// sqliteDriver is the name under which go-sqlite3 registers itself.
const sqliteDriver = "sqlite3"

// SQLiteVersion returns the version of the embedded SQLite, such as "3.54.1".
func SQLiteVersion() string {
	version, _, _ := sqlite3.Version()
	return version
}

// Open opens and checks the database of a data directory, which must exist. With create it creates
// the database if the file is missing or empty. It does not migrate: see Migrate. Errors:
// ErrNoDatabase, ErrForeign, ErrDamaged, ErrNewerDatabase, ErrUnavailable, or the file system's.
func Open(ctx context.Context, dir string, create bool) (*Store, error) {
	path := filepath.Join(dir, DatabaseFile)
	if err := requireFile(ctx, dir, create); err != nil {
		return nil, err
	}
	file, err := checkWritable(path)
	if err != nil {
		return nil, err
	}
	write, read, err := openPools(path)
	if err != nil {
		return nil, err
	}
	e := &sqlite{path: path, file: file}
	e.largest.Store(file.Size())
	s := &Store{engine: e, traits: sqliteTraits(), write: write, read: read}
	err = e.checkIntegrity(ctx, write)
	if err == nil {
		err = s.checkSettings(ctx)
	}
	if err == nil {
		_, err = s.checkVersion(ctx)
	}
	if err == nil {
		s.changes, err = openChangeCounter(dir)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sqlite is the engine of a data directory.
type sqlite struct {
	path string
	file os.FileInfo // of the database when it was opened

	largest atomic.Int64 // the largest size that the file was seen to have, in bytes
	cut     atomic.Bool  // a part of the file was missing once
}

func sqliteTraits() traits {
	return traits{
		dialect:            goose.DialectSQLite3,
		countTables:        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
		transactionTimeout: 10 * time.Second,
		pollInterval:       100 * time.Millisecond,
	}
}

// String returns the path of the database file.
func (e *sqlite) String() string { return e.path }

// rebind replaces $n by SQLite's ?n. SQLite would take $n for a name and number the parameters by
// their first appearance.
func (e *sqlite) rebind(query string) string { return strings.ReplaceAll(query, "$", "?") }

// retryable is always false: SQLite itself waits for other writers.
func (e *sqlite) retryable(error) bool { return false }

// listen only waits for the end.
func (e *sqlite) listen(ctx context.Context, _ func()) { <-ctx.Done() }

// checkFile stops the use of a file that is no longer at the database's path, or lacks a part.
// What is written to it would be lost, and what others write would not be seen.
func (e *sqlite) checkFile() error {
	now, err := os.Stat(e.path)
	if err != nil || !os.SameFile(e.file, now) || e.isCut(now.Size()) {
		return fmt.Errorf("%w: %s was removed, replaced or cut short while it was open. "+
			"Put it back, then restart", ErrUnavailable, e.path)
	}
	return nil
}

// isCut reports whether a part of the file was ever missing. A smaller file is in order if its
// header agrees: another program has vacuumed it.
func (e *sqlite) isCut(size int64) bool {
	if largest := e.largest.Load(); size >= largest {
		e.largest.CompareAndSwap(largest, size)
	} else if header, err := readHeader(e.path); err != nil || size < sizeOf(header) {
		e.cut.Store(true) // for good: SQLite would fill the gap with zeros
	}
	return e.cut.Load()
}

// copyRows inserts the rows in one transaction.
func (e *sqlite) copyRows(ctx context.Context, s *Store, into table, rows [][]any) error {
	const maxParameters = 32_000 // of a statement; SQLite allows 32,766
	return s.inTransaction(ctx, func(t *transaction) error {
		for part := range slices.Chunk(rows, maxParameters/len(into.columns)) {
			if err := t.insertRows(into, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// dsn is the driver's name for a database file, with the settings of every connection.
func dsn(path string, extra url.Values) string {
	extra.Set("_busy_timeout", "5000")
	extra.Set("_synchronous", "FULL")
	extra.Set("_foreign_keys", "1")
	extra.Set("mode", "rw")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + extra.Encode()
}

// openPools opens two pools: one connection that writes, and several that cannot write and keep
// their prepared statements. synchronous=FULL is needed for durability: the driver's default
// NORMAL loses acknowledged writes at a power cut.
func openPools(path string) (write, read *sql.DB, err error) {
	write, err = sql.Open(sqliteDriver,
		dsn(path, url.Values{"_journal_mode": {"WAL"}, "_txlock": {"immediate"}}))
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	read, err = sql.Open(sqliteDriver,
		dsn(path, url.Values{"_query_only": {"1"}, "_stmt_cache_size": {"64"}}))
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	readers := max(4, runtime.NumCPU())
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// checkSettings reads the settings back: one that did not take effect would lose data silently.
func (s *Store) checkSettings(ctx context.Context) error {
	settings := []struct {
		db           *sql.DB
		pragma, want string
	}{
		{s.write, "journal_mode", "wal"},
		{s.write, "synchronous", "2"},
		{s.write, "foreign_keys", "1"},
		{s.write, "busy_timeout", "5000"},
		{s.read, "query_only", "1"},
		{s.read, "busy_timeout", "5000"},
	}
	for _, setting := range settings {
		var got string
		err := setting.db.QueryRowContext(ctx, "PRAGMA "+setting.pragma).Scan(&got)
		if err != nil {
			return fmt.Errorf("%s: %w", s, s.engine.classify(err))
		}
		if !strings.EqualFold(got, setting.want) {
			return fmt.Errorf("%s: SQLite's setting %s is %q and must be %q", s, setting.pragma, got,
				setting.want)
		}
	}
	return nil
}

// checkIntegrity refuses a file with a damaged structure. Errors: ErrDamaged, ErrUnavailable.
func (e *sqlite) checkIntegrity(ctx context.Context, db *sql.DB) error {
	var verdict string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case isDamage(err):
		return damagedFile(e.path, err.Error())
	case err != nil:
		return fmt.Errorf("%s: %w", e, e.classify(err))
	case verdict != "ok":
		return damagedFile(e.path, firstLine(verdict))
	}
	return nil
}

func isDamage(err error) bool {
	var fault sqlite3.Error
	return errors.As(err, &fault) &&
		(fault.Code == sqlite3.ErrCorrupt || fault.Code == sqlite3.ErrNotADB)
}

// damagedFile is the error for a file that SQLite cannot read as a whole.
func damagedFile(path, detail string) error {
	return fmt.Errorf("%s: %w: %s. Restore a backup, then run latchkey recover", path, ErrDamaged,
		detail)
}

// firstLine is the first line of a check's findings that is not a heading.
func firstLine(findings string) string {
	for line := range strings.SplitSeq(findings, "\n") {
		if line != "" && !strings.HasPrefix(line, "***") {
			return line
		}
	}
	return "it cannot be read"
}

func (e *sqlite) classify(err error) error {
	var fault sqlite3.Error
	switch {
	case err == nil || errors.Is(err, ErrUnavailable):
		return err
	case errors.As(err, &fault) && fault.Code != sqlite3.ErrConstraint:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, explainSQLite(fault), err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: another process has locked it for too long: %w", ErrUnavailable, err)
	case errors.Is(err, sql.ErrConnDone):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// explainSQLite says in words what a fault means for the operator.
func explainSQLite(fault sqlite3.Error) string {
	switch fault.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return "another process has locked it"
	case sqlite3.ErrFull:
		return "the disk is full"
	case sqlite3.ErrReadonly:
		return "the file or the file system is read-only"
	case sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrAuth:
		return "the file cannot be opened"
	case sqlite3.ErrIoErr:
		return "the disk reports an error"
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return "the file is damaged. Restore a backup, then run latchkey recover"
	}
	return "SQLite reports an error"
}
