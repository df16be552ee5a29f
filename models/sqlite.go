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
	"strings"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
)

// sqliteDriver is the name under which the driver registers itself.
const sqliteDriver = "sqlite3"

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
	e := &sqlite{path: path, file: file}
	e.largest.Store(file.Size())
	s := &Store{engine: e, write: write, read: read, prepared: map[string]*sql.Stmt{}}
	err = e.checkIntegrity(ctx, write)
	if err == nil {
		err = checkSettings(ctx, write, read)
	}
	if err == nil {
		_, err = s.checkVersion(ctx)
	}
	if err == nil {
		e.changes, err = openChangeCounter(dir)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sqlite is the engine of a data directory.
type sqlite struct {
	path    string
	file    os.FileInfo // of the database when it was opened
	changes *changeCounter

	largest atomic.Int64 // size of the file in bytes, as far as it was seen
	cut     atomic.Bool  // a part of the file was missing
}

func (e *sqlite) String() string { return e.path }

// rebind turns the numbered parameters $n into SQLite's ?n. Left as they are, SQLite would number
// them by first appearance.
func (e *sqlite) rebind(query string) string { return strings.ReplaceAll(query, "$", "?") }

func (e *sqlite) dialect() goose.Dialect { return goose.DialectSQLite3 }

func (e *sqlite) hasTable() string {
	return "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
}

func (e *sqlite) countsChanges() bool { return true }

// committed marks the number, and tries whether the file system still takes what is written.
func (e *sqlite) committed(change int64) error {
	var err error
	if change > 0 {
		err = e.changes.advance(change)
	}
	if err == nil {
		err = e.changes.probe()
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, changeCounterFile, err)
	}
	return nil
}

// notifyStatement: there is no listening to SQLite.
func (e *sqlite) notifyStatement() string { return "" }

// retryable is never so: SQLite itself waits for other writers.
func (e *sqlite) retryable(error) bool { return false }

func (e *sqlite) timeout() (transaction, lookup time.Duration) { return 10 * time.Second, 0 }

func (e *sqlite) close() error {
	if e.changes == nil {
		return nil
	}
	return e.changes.close()
}

// checkFile refuses to go on when the file at the database's path is no longer the one that was
// opened, or not all of it: what is written to that one is lost, and what others write is not seen.
func (e *sqlite) checkFile() error {
	now, err := os.Stat(e.path)
	if err != nil || !os.SameFile(e.file, now) || e.isCut(now.Size()) {
		return fmt.Errorf("%w: %s was removed, replaced or cut while it was open: restart",
			ErrUnavailable, e.path)
	}
	return nil
}

// isCut says whether a part of the file was ever missing. The file shrinks rightly when another
// program vacuums it; then its header says so.
func (e *sqlite) isCut(size int64) bool {
	if largest := e.largest.Load(); size >= largest {
		e.largest.CompareAndSwap(largest, size)
	} else if header, err := readHeader(e.path); err != nil || size < sizeOf(header) {
		e.cut.Store(true) // for good: SQLite would fill the gap with zeros
	}
	return e.cut.Load()
}

// dsn is the driver's name for a database file with the settings that every connection has.
func dsn(path string, extra url.Values) string {
	extra.Set("_busy_timeout", "5000")
	extra.Set("_synchronous", "FULL")
	extra.Set("_foreign_keys", "1")
	extra.Set("mode", "rw")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + extra.Encode()
}

// openPools opens the two pools: one writer connection, and readers that cannot write. Durability
// needs synchronous=FULL: the driver's default NORMAL loses acknowledged writes at a power cut.
func openPools(driver, path string) (write, read *sql.DB, err error) {
	write, err = sql.Open(driver,
		dsn(path, url.Values{"_journal_mode": {"WAL"}, "_txlock": {"immediate"}}))
	if err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	read, err = sql.Open(driver, dsn(path, url.Values{"_query_only": {"1"}}))
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	readers := max(4, runtime.NumCPU())
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// checkSettings reads the pragmas back: a setting that was not taken would lose data silently.
func checkSettings(ctx context.Context, write, read *sql.DB) error {
	want := []struct {
		db           *sql.DB
		pragma, must string
	}{
		{write, "journal_mode", "wal"},
		{write, "synchronous", "2"},
		{write, "foreign_keys", "1"},
		{write, "busy_timeout", "5000"},
		{read, "query_only", "1"},
		{read, "busy_timeout", "5000"},
	}
	for _, w := range want {
		var got string
		if err := w.db.QueryRowContext(ctx, "PRAGMA "+w.pragma).Scan(&got); err != nil {
			return fmt.Errorf("PRAGMA %s: %w", w.pragma, err)
		}
		if !strings.EqualFold(got, w.must) {
			return fmt.Errorf("PRAGMA %s is %q, not %q", w.pragma, got, w.must)
		}
	}
	return nil
}

// checkIntegrity refuses a structurally damaged file.
func (e *sqlite) checkIntegrity(ctx context.Context, db *sql.DB) error {
	var verdict string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	var engine sqlite3.Error
	switch {
	case errors.As(err, &engine) &&
		(engine.Code == sqlite3.ErrCorrupt || engine.Code == sqlite3.ErrNotADB):
		return fmt.Errorf("%w: %s: %w", ErrDamaged, e, err)
	case err != nil: // locked, no space, not writable
		return fmt.Errorf("%s: %w", e, e.classify(err))
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrDamaged, e, firstLine(verdict))
	}
	return nil
}

// firstLine is the first line of a check's findings that is no heading.
func firstLine(s string) string {
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" && !strings.HasPrefix(line, "***") {
			return line
		}
	}
	return "unreadable"
}

// SQLiteVersion is the version of the embedded engine, such as "3.54.1".
func SQLiteVersion() string {
	version, _, _ := sqlite3.Version()
	return version
}

// classify wraps a fault of the engine in ErrUnavailable; answers pass through.
func (e *sqlite) classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	var engine sqlite3.Error
	if errors.As(err, &engine) && engine.Code == sqlite3.ErrConstraint {
		return err
	}
	if errors.As(err, &engine) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
