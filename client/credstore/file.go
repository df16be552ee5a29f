package credstore

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces the file at path and returns once the content is on the disk. The file gets
// the old content or the new one, never a part of it, and only its owner can read it. If path is a
// symbolic link, WriteFile replaces the file that it points to.
func WriteFile(path string, content []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".latchkey-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(makePrivate(f), writeAll(f, content), f.Close()); err != nil {
		return err
	}
	return replace(f.Name(), path)
}

// writeAll writes the content to the disk.
func writeAll(f *os.File, content []byte) error {
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}
