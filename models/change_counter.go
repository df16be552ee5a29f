package models

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// changeCounterFile is the name of the mark within the data directory.
const changeCounterFile = "latchkey.changes"

// changeCounter is a file beside the database with the number of the newest change that was acknowledged of
// those that take something away: tokens, rights, secrets, keys. A database that knows no such
// change has lost it: SQLite takes a damaged log for one that ends there, and an older copy for
// whole. The file has two places, and the lower number's is written, so that one is whole whatever
// happens.
type changeCounter struct {
	mu     sync.Mutex
	file   *os.File
	longer bool // by a byte: see probe
}

const slotSize = 16 // bytes of a place: a number and its checksum

func openChangeCounter(dir string) (*changeCounter, error) {
	path := filepath.Join(dir, changeCounterFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names it
	return &changeCounter{file: f}, err
}

// removeChangeCounter is for a database that is made anew.
func removeChangeCounter(dir string) error {
	err := os.Remove(filepath.Join(dir, changeCounterFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// value is the highest that is marked, 0 for none.
func (m *changeCounter) value() (int64, error) {
	highest, _, err := m.read()
	return highest, err
}

// read is number, and where in the file the next may be written.
func (m *changeCounter) read() (highest, next int64, err error) {
	var places [2 * slotSize]byte
	n, err := m.file.ReadAt(places[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	for at := 0; at+slotSize <= n; at += slotSize {
		number := int64(binary.BigEndian.Uint64(places[at:]))
		sum := int64(binary.BigEndian.Uint64(places[at+8:]))
		if sum == record(nil).number(number).checksum() && number > highest {
			highest, next = number, int64(slotSize-at)
		}
	}
	return highest, next, nil
}

// advance marks a number unless a higher one is. Other processes are kept out meanwhile.
func (m *changeCounter) advance(number int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := lockFile(m.file); err != nil {
		return err
	}
	defer syscall.Flock(int(m.file.Fd()), syscall.LOCK_UN) //nolint:errcheck // closing does as well
	highest, next, err := m.read()
	if err != nil || highest >= number {
		return err
	}
	place := record(nil).number(number)
	place = place.number(place.checksum())
	if _, err := m.file.WriteAt(place, next); err != nil {
		return err
	}
	return m.file.Sync()
}

// probe fails when the file system has become read-only. A sync that runs at that very moment may
// say that all is written when nothing is (ext4, seen with Linux 6.18), so this comes after each.
func (m *changeCounter) probe() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.longer = !m.longer
	size := int64(2*slotSize + 1)
	if m.longer {
		size++
	}
	return m.file.Truncate(size)
}

func (m *changeCounter) close() error { return m.file.Close() }

// CheckChanges refuses a database that lacks changes which were acknowledged. PostgreSQL's are not
// numbered. Errors: ErrDamaged.
func (s *Store) CheckChanges(ctx context.Context) error {
	e, ok := s.engine.(*sqlite)
	if !ok {
		return nil
	}
	marked, err := e.changes.value() // first: another process may make changes
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var known int64
	err = s.scan(ctx, "SELECT value FROM sequences WHERE name = 'change'", nil, &known)
	if err == nil && known < marked {
		err = fmt.Errorf("%w: %s lacks %d changes that were acknowledged, or is older than its "+
			"directory: put it back, or run latchkey recover", ErrDamaged, s, marked-known)
	}
	return err
}
