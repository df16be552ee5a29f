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

// DatabaseFile is the name of the SQLite database in the data directory.
const DatabaseFile = "latchkey.db"

// applicationID identifies Latchkey's databases in the SQLite header ("LKEY"), so that another
// program's file is refused.
const applicationID = 0x4c4b4559

// headerSize is the size of the SQLite header in bytes.
const headerSize = 100

// FileState is what is found at the database's path.
type FileState int

// The states of a database file.
const (
	FileMissing FileState = iota
	FileEmpty             // zero bytes
	FilePresent
)

// Inspect returns the state of the database file in a data directory and changes nothing. Errors:
// ErrForeign for a file that is not a Latchkey database, ErrDamaged for one that is cut short.
func Inspect(dir string) (FileState, error) {
	path := filepath.Join(dir, DatabaseFile)
	header, err := readHeader(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return FileMissing, nil
	case errors.Is(err, io.EOF):
		return FileEmpty, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return FilePresent, damagedFile(path, "it is cut short")
	case err != nil:
		return FilePresent, err
	case string(header[:16]) != "SQLite format 3\x00",
		binary.BigEndian.Uint32(header[68:72]) != applicationID:
		return FilePresent, fmt.Errorf("%s: %w. Choose another data directory", path, ErrForeign)
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return FilePresent, nil // the log may hold what the file lacks
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() < sizeOf(header) {
		err = damagedFile(path, "it is cut short")
	}
	return FilePresent, err
}

// readHeader reads the SQLite header of a file. Errors: io.EOF for an empty file,
// io.ErrUnexpectedEOF for a shorter one.
func readHeader(path string) (header [headerSize]byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator's path
	if err != nil {
		return header, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	_, err = io.ReadFull(f, header[:])
	return header, err
}

// sizeOf returns the size in bytes that the header says the database has. SQLite does not notice
// if a part of the last page is missing.
func sizeOf(header [headerSize]byte) int64 {
	page := int64(binary.BigEndian.Uint16(header[16:18]))
	if page == 1 {
		page = 65536
	}
	return page * int64(binary.BigEndian.Uint32(header[28:32]))
}

// requireFile makes sure that the data directory has a database file; with create it creates a
// missing or empty one. Errors: ErrNoDatabase and those of Inspect.
func requireFile(ctx context.Context, dir string, create bool) error {
	state, err := Inspect(dir)
	switch {
	case err != nil || state == FilePresent:
		return err
	case !create:
		return fmt.Errorf("%w in %s", ErrNoDatabase, dir)
	}
	return createFile(ctx, dir, state)
}

// createFile creates the database with mode 0600, which SQLite gives to the files beside it, too.
// The file appears under its name when it is complete, so a process that is killed here leaves no
// half of it.
func createFile(ctx context.Context, dir string, state FileState) error {
	temporary, err := createTemporary(ctx, dir)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) //nolint:errcheck // after a rename it no longer exists
	if err := removeChangeCounter(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, DatabaseFile)
	if state == FileEmpty {
		return os.Rename(temporary, path)
	}
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// createTemporary creates an empty database with our application ID under another name.
func createTemporary(ctx context.Context, dir string) (path string, err error) {
	f, err := os.CreateTemp(dir, DatabaseFile+".new-*")
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	db, err := sql.Open(sqliteDriver, dsn(f.Name(), url.Values{"_journal_mode": {"DELETE"}}))
	if err != nil {
		return "", err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err = errors.Join(err, db.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// checkWritable opens the file for writing, which fails if the file or its file system is
// read-only.
func checkWritable(path string) (os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator's path
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}
