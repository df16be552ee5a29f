package models

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock keeps other processes from opening a data directory, which must exist, until unlock is
// called or the process ends. It waits for another process that holds the lock. Without it, two
// processes that start for the first time would both create the master key and the first signing
// key. Errors: ErrNoDatabase.
func Lock(dir string) (unlock func() error, err error) {
	f, err := os.Open(dir) //nolint:gosec // the operator's path
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

// lockFile waits until no other process has locked the file, and locks it.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
