package leakcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// tail reads what is added to a file, even if the file is rotated or truncated meanwhile.
type tail struct {
	path   string
	file   *os.File
	offset int64  // where to continue
	recent []byte // the bytes before offset; they tell whether the file was truncated
}

// overlap is the maximum length of tail.recent, in bytes.
const overlap = 256

// openTail opens a log at its end.
func openTail(path string) (*tail, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, readError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("this is not a regular file: let the proxy write its log to one " +
			"during the check")
	}
	f, err := os.Open(path) //nolint:gosec // the user names the log
	if err != nil {
		return nil, readError(err)
	}
	t := &tail{path: path, file: f, offset: max(0, info.Size()-overlap)}
	if err := t.copyTo(io.Discard); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// readError describes why a log cannot be read. Its name is left to the caller.
func readError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("cannot read the log: %w", err)
}

func (t *tail) close() { _ = t.file.Close() } // it was only read

// read writes what was added since the last call to w. If another file has taken the place of the
// old one, or the file was truncated, it continues at the beginning.
func (t *tail) read(w io.Writer) error {
	if t.isTruncated() {
		t.offset, t.recent = 0, nil
	}
	if err := t.copyTo(w); err != nil {
		return err
	}
	present, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) { // a rotation is under way
		return nil
	}
	if err != nil {
		return readError(err)
	}
	open, err := t.file.Stat()
	if err != nil || os.SameFile(open, present) {
		return err
	}
	f, err := os.Open(t.path)
	if err != nil {
		return readError(err)
	}
	t.close()
	t.file, t.offset, t.recent = f, 0, nil
	return t.copyTo(w)
}

// isTruncated reports whether the bytes that were read last are no longer where they were.
func (t *tail) isTruncated() bool {
	present := make([]byte, len(t.recent))
	n, _ := t.file.ReadAt(present, t.offset-int64(len(present))) // fewer bytes mean truncation, too
	return !bytes.Equal(present[:n], t.recent)
}

// copyTo writes the rest of the file to w.
func (t *tail) copyTo(w io.Writer) error {
	n, err := io.Copy(w, io.NewSectionReader(t.file, t.offset, math.MaxInt64-t.offset))
	if err != nil {
		return err
	}
	t.offset += n
	t.recent = make([]byte, min(overlap, t.offset))
	_, err = t.file.ReadAt(t.recent, t.offset-int64(len(t.recent)))
	return err
}
