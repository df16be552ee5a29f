//go:build !windows

package credstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// checkPrivate rejects an open file that others than its owner may read or write. It need not
// compare the owner with the user: at such a mode nobody else but root could have opened it.
func checkPrivate(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others than its owner can read %s: run chmod 600 %s", f.Name(), f.Name())
	}
	return nil
}

// makePrivate does nothing: os.CreateTemp creates files with mode 0600.
func makePrivate(*os.File) error { return nil }

// replace renames a file and makes the new name durable.
func replace(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return nil //nolint:nilerr // the file is there; an unreadable directory cannot be synced
	}
	return errors.Join(dir.Sync(), dir.Close())
}
