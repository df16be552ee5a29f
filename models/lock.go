package models

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// Lock keeps other processes from opening a data directory, which must exist, until unlock is
// called or the process ends. It waits for another process that holds the lock. Without it, two
// processes that start for the first time would both create the master key and the first signing
// key. Errors: ErrNoDatabase.
func Lock(dir string) (unlock func() error, err error) {
	lock := newFileLock(dir)
	err = waitForLock(lock)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w in %s", ErrNoDatabase, dir)
	case err != nil:
		return nil, fmt.Errorf("the data directory cannot be locked: %w", err)
	}
	return lock.Unlock, nil
}

// newFileLock returns a lock on a file or directory that exists. The default flags would create it.
func newFileLock(path string) *flock.Flock { return flock.New(path, flock.SetFlag(os.O_RDONLY)) }

// waitForLock takes a lock. A signal can interrupt the wait on some network file systems.
func waitForLock(lock *flock.Flock) error {
	for {
		err := lock.Lock()
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
