package models

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// sqliteDriver is the name under which the driver registers itself.
const sqliteDriver = "sqlite3"

// DatabaseFile is the name of the SQLite database within the data directory.
const DatabaseFile = "latchkey.db"

// applicationID marks our databases in the SQLite header ("LKEY"), so that another program's file
// is refused.
const applicationID = 0x4c4b4559

// headerSize is the size of the SQLite header in bytes.
const headerSize = 100

// The faults of a database file that stop the start. Each is returned wrapped, with the path.
var (
	ErrNoDatabase    = errors.New("no Latchkey database")
	ErrForeign       = errors.New("not a Latchkey database")
	ErrDamaged       = errors.New("database is damaged")
	ErrNewerDatabase = errors.New("database was written by a newer Latchkey")
)

// FileState is what stands at the database's path before it is opened.
type FileState int

// The states of a database file.
const (
	FileMissing FileState = iota
	FileEmpty             // zero bytes
	FilePresent
)

// Lock keeps other processes from opening a data directory, which must exist, until unlock is
// called: two first starts at once would make the same things twice. Errors: ErrNoDatabase.
func Lock(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir) //nolint:gosec // the operator names the data directory
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNoDatabase, dir)
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f.Close, nil
}

// lockFile waits until no other process has the file locked, and locks it.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Inspect tells what stands at the database's path in a data directory without changing anything.
// Errors: ErrForeign for a file that is no Latchkey database, ErrDamaged for one too short to be
// one.
func Inspect(dir string) (FileState, error) {
	path := filepath.Join(dir, DatabaseFile)
	header, err := readHeader(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return FileMissing, nil
	case errors.Is(err, io.EOF):
		return FileEmpty, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return FilePresent, fmt.Errorf("%w: %s is cut short", ErrDamaged, path)
	case err != nil:
		return FilePresent, err
	case string(header[:16]) != "SQLite format 3\x00":
		return FilePresent, fmt.Errorf("%w: %s", ErrForeign, path)
	case binary.BigEndian.Uint32(header[68:72]) != applicationID:
		return FilePresent, fmt.Errorf("%w: %s", ErrForeign, path)
	}
	if logged, err := os.Stat(path + "-wal"); err == nil && logged.Size() > 0 {
		return FilePresent, nil // what the file lacks may be there
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() < sizeOf(header) {
		err = fmt.Errorf("%w: %s is cut short", ErrDamaged, path)
	}
	return FilePresent, err
}

// readHeader reads the first bytes of a database; io.EOF says that there are none.
func readHeader(path string) (header [headerSize]byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the data directory
	if err != nil {
		return header, err
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = io.ReadFull(f, header[:])
	return header, err
}

// sizeOf is the size in bytes that a database's header says it has. SQLite itself takes the last
// page for whole however much of it is missing.
func sizeOf(header [headerSize]byte) int64 {
	page := int64(binary.BigEndian.Uint16(header[16:18]))
	if page == 1 {
		page = 65536
	}
	return page * int64(binary.BigEndian.Uint32(header[28:32]))
}

// createFile makes the database, marked as ours, with mode 0600 (SQLite gives the files beside it
// the same mode). It appears under its name whole: a process killed here leaves nothing half
// made.
func createFile(ctx context.Context, path string, state FileState) error {
	f, err := os.CreateTemp(filepath.Dir(path), DatabaseFile+".new-*")
	if err != nil {
		return err
	}
	temporary := f.Name()
	defer os.Remove(temporary) //nolint:errcheck // gone already when it was renamed
	if err := f.Close(); err != nil {
		return err
	}
	db, err := sql.Open(sqliteDriver, dsn(temporary, url.Values{"_journal_mode": {"DELETE"}}))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := removeMark(filepath.Dir(path)); err != nil {
		return err
	}
	if state == FileEmpty {
		return os.Rename(temporary, path)
	}
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
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
func checkIntegrity(ctx context.Context, db *sql.DB, path string) error {
	var verdict string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	var engine sqlite3.Error
	switch {
	case errors.As(err, &engine) &&
		(engine.Code == sqlite3.ErrCorrupt || engine.Code == sqlite3.ErrNotADB):
		return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	case err != nil: // locked, no space, not writable
		return fmt.Errorf("%s: %w", path, classify(err))
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrDamaged, path, firstLine(verdict))
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

// forSQLite turns the numbered parameters $n that both engines' texts are written in into
// SQLite's ?n. Left as they are, SQLite would number them by first appearance.
func forSQLite(query string) string { return strings.ReplaceAll(query, "$", "?") }

// classify wraps a fault of the engine in ErrUnavailable; answers pass through.
func classify(err error) error {
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
