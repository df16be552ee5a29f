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
)

// applicationID marks our databases in the SQLite header ("LKEY"), so that another program's file
// is refused.
const applicationID = 0x4c4b4559

// headerSize is the size of the SQLite header in bytes.
const headerSize = 100

// FileState is what stands at the database's path before it is opened.
type FileState int

// The states of a database file.
const (
	FileMissing FileState = iota
	FileEmpty             // zero bytes
	FilePresent
)

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
	if err := removeChangeCounter(filepath.Dir(path)); err != nil {
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

// checkWritable opens the file for writing, which a read-only file or file system refuses.
func checkWritable(path string) (os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names the directory
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}

// DatabaseFile is the name of the SQLite database within the data directory.
const DatabaseFile = "latchkey.db"
