package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20poly1305"
)

// The faults of a master key that prevent a start. They are wrapped with the path of the file,
// never with its bytes.
var (
	ErrMasterKeyMissing = errors.New("the master key is missing")
	ErrMasterKeyFile    = errors.New("the master key cannot be used")
	ErrMasterKeyWrong   = errors.New("the master key does not open the signing keys")
)

// MasterKeySize is the size of a master key in bytes.
const MasterKeySize = chacha20poly1305.KeySize

// MasterKey seals the signing keys in the store. It exists only in its file and in memory.
type MasterKey struct{ key [MasterKeySize]byte }

// String returns a placeholder, so that nothing prints the key.
func (MasterKey) String() string { return "master key" }

// GoString returns a placeholder, so that nothing prints the key.
func (MasterKey) GoString() string { return "master key" }

// LoadMasterKey reads a master key file: 32 bytes in base64 with an optional line end, which only
// its owner can read. Errors: ErrMasterKeyMissing, ErrMasterKeyFile.
func LoadMasterKey(path string) (MasterKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return MasterKey{}, fmt.Errorf("%w: %s", ErrMasterKeyMissing, path)
	}
	if err != nil {
		return MasterKey{}, fmt.Errorf("%w: %w", ErrMasterKeyFile, err)
	}
	if why := checkMasterKeyFile(info, path); why != "" {
		return MasterKey{}, fmt.Errorf("%w: %s %s", ErrMasterKeyFile, path, why)
	}
	text, err := readAtMost(path, 1024)
	if err != nil {
		return MasterKey{}, fmt.Errorf("%w: %w", ErrMasterKeyFile, err)
	}
	key, why := parseMasterKey(text)
	if why != "" {
		return MasterKey{}, fmt.Errorf("%w: %s %s", ErrMasterKeyFile, path, why)
	}
	return key, nil
}

// checkMasterKeyFile returns what is wrong with the type, mode or owner of the file, or "".
func checkMasterKeyFile(info os.FileInfo, path string) (why string) {
	if !info.Mode().IsRegular() {
		return "is not a regular file"
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("has mode %04o, so others can read it: run chmod 600 %s", mode, path)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return "belongs to another user"
	}
	return ""
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, limit))
}

// parseMasterKey returns the master key, or what is wrong with the text.
func parseMasterKey(text []byte) (key MasterKey, why string) {
	text, _ = bytes.CutSuffix(text, []byte("\n"))
	if len(text) == 0 {
		return MasterKey{}, "is empty"
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	switch {
	case err != nil || bytes.ContainsAny(text, "\r\n"):
		return MasterKey{}, "is not one line of base64"
	case len(raw) != MasterKeySize:
		return MasterKey{}, fmt.Sprintf("holds %d bytes, not %d", len(raw), MasterKeySize)
	case bytes.Count(raw, raw[:1]) == len(raw):
		return MasterKey{}, "holds the same byte 32 times"
	}
	copy(key.key[:], raw)
	return key, ""
}

// CreateMasterKey creates a master key file with mode 0600. The file appears complete and synced to
// disk. It never replaces a file: if another process was first, its master key is returned.
func CreateMasterKey(path string) (MasterKey, error) {
	var key MasterKey
	rand.Read(key.key[:]) // cannot fail since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return MasterKey{}, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the link below keeps the file
	text := base64.StdEncoding.EncodeToString(key.key[:]) + "\n"
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return MasterKey{}, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
		return LoadMasterKey(path)
	} else if err != nil {
		return MasterKey{}, err
	}
	return key, syncDirectory(filepath.Dir(path))
}

// syncDirectory makes new names in a directory durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// seal encrypts a signing key with XChaCha20-Poly1305 and a random nonce. row is the additional
// data that binds the result to its row in the store.
func (m MasterKey) seal(key []byte, row string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(m.key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(key)+aead.Overhead())
	rand.Read(nonce) // cannot fail since Go 1.24
	return aead.Seal(nonce, nonce, key, []byte(row)), nil
}

// open decrypts the result of seal. Errors: ErrMasterKeyWrong.
func (m MasterKey) open(sealed []byte, row string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(m.key[:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrMasterKeyWrong
	}
	nonce, ciphertext := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	key, err := aead.Open(nil, nonce, ciphertext, []byte(row))
	if err != nil {
		return nil, ErrMasterKeyWrong
	}
	return key, nil
}

// derive returns a key that is derived from the master key for one purpose.
func (m MasterKey) derive(purpose string) []byte {
	hash, _ := blake2b.New256(m.key[:]) // fails only for a longer key
	hash.Write([]byte(purpose))
	return hash.Sum(nil)
}
