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

	"github.com/gofrs/flock"
)

// changeCounterFile is the change counter's name in the data directory.
const changeCounterFile = "latchkey.changes"

// changeCounter is a file beside a SQLite database. It holds the number of the newest acknowledged
// destructive change: one that revokes a token, takes a right away, or replaces a password or a
// key. A database with a lower number has lost such a change. SQLite itself does not notice: it
// takes a damaged log for one that ends there, and an older copy for the whole database.
//
// The file has two slots. advance writes the one with the lower number, so the other stays intact
// if the write fails halfway.
//
// A nil changeCounter counts nothing. PostgreSQL has none: its nodes share no file.
type changeCounter struct {
	mu     sync.Mutex
	file   *os.File
	lock   *flock.Flock // of file
	longer bool         // by one byte: see probe
}

const slotSize = 16 // bytes: a number and its checksum

func openChangeCounter(dir string) (*changeCounter, error) {
	path := filepath.Join(dir, changeCounterFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's path
	if err != nil {
		return nil, err
	}
	return &changeCounter{file: f, lock: newFileLock(path)}, nil
}

// removeChangeCounter removes the counter of a database that no longer exists.
func removeChangeCounter(dir string) error {
	err := os.Remove(filepath.Join(dir, changeCounterFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// record stores the number of a committed change, 0 for one that is not destructive. In both cases
// it checks that the file system still accepts writes.
func (c *changeCounter) record(change int64) error {
	if c == nil {
		return nil
	}
	var err error
	if change > 0 {
		err = c.advance(change)
	}
	if err == nil {
		err = c.probe()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// value returns the stored number, or 0.
func (c *changeCounter) value() (int64, error) {
	if c == nil {
		return 0, nil
	}
	highest, _, err := c.read()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return highest, nil
}

// read returns the stored number and the offset of the slot to write next.
func (c *changeCounter) read() (highest, next int64, err error) {
	var slots [2 * slotSize]byte
	n, err := c.file.ReadAt(slots[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	for at := 0; at+slotSize <= n; at += slotSize {
		number := int64(binary.BigEndian.Uint64(slots[at:]))
		sum := int64(binary.BigEndian.Uint64(slots[at+8:]))
		if sum == hashInput(nil).number(number).checksum() && number > highest {
			highest, next = number, int64(slotSize-at)
		}
	}
	return highest, next, nil
}

// advance stores a number unless a higher one is stored, and syncs the file. The file lock keeps
// other processes out.
func (c *changeCounter) advance(number int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := waitForLock(c.lock); err != nil {
		return err
	}
	defer c.lock.Unlock() //nolint:errcheck // it closes the file, which unlocks in any case
	highest, next, err := c.read()
	if err != nil || highest >= number {
		return err
	}
	slot := hashInput(nil).number(number)
	slot = slot.number(slot.checksum())
	if _, err := c.file.WriteAt(slot, next); err != nil {
		return err
	}
	return c.file.Sync()
}

// probe returns an error if the file system has become read-only. It runs after each commit,
// because a sync at that very moment can report success although nothing was written (ext4, seen
// with Linux 6.18). Changing the length fails from then on.
func (c *changeCounter) probe() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.longer = !c.longer
	size := int64(2*slotSize + 1)
	if c.longer {
		size++
	}
	return c.file.Truncate(size)
}

func (c *changeCounter) close() error {
	if c == nil {
		return nil
	}
	return c.file.Close()
}

// CheckChanges refuses a database that has lost acknowledged changes. Errors: ErrDamaged.
func (s *Store) CheckChanges(ctx context.Context) error {
	counted, err := s.changes.value() // read first: another process may be making changes
	if err != nil || counted == 0 {
		return err
	}
	var stored int64
	err = s.scan(ctx, "SELECT value FROM sequences WHERE name = $1", []any{changeSequence}, &stored)
	if err == nil && stored < counted {
		err = fmt.Errorf("%s: %w: %d acknowledged changes are missing, perhaps because it is an "+
			"older copy. Put the newer one back, or run latchkey recover", s, ErrDamaged, counted-stored)
	}
	return err
}
