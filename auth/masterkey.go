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

// The faults of a secret file that stop the start. Each is returned wrapped, with the path; none
// shows any of its bytes.
var (
	ErrMasterKeyMissing = errors.New("secret is missing")
	ErrMasterKeyFile    = errors.New("secret cannot be used")
	ErrMasterKeyWrong   = errors.New("secret does not open the signing keys")
)

// MasterKeySize is the size of the data directory's secret in bytes.
const MasterKeySize = chacha20poly1305.KeySize

// MasterKey seals the signing keys that are kept in the store. It never leaves its file but for
// memory.
type MasterKey struct{ key [MasterKeySize]byte }

// String keeps the secret out of anything that is printed.
func (MasterKey) String() string { return "secret" }

// GoString keeps the secret out of anything that is printed.
func (MasterKey) GoString() string { return "secret" }

// LoadMasterKey reads a secret file: base64 of 32 bytes and at most one line end, readable for its
// owner alone. Errors: ErrMasterKeyMissing, ErrMasterKeyFile.
func LoadMasterKey(path string) (MasterKey, error) {
	refuse := func(why string) (MasterKey, error) {
		return MasterKey{}, fmt.Errorf("%w: %s %s", ErrMasterKeyFile, path, why)
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return MasterKey{}, fmt.Errorf("%w: %s", ErrMasterKeyMissing, path)
	}
	if err != nil {
		return MasterKey{}, fmt.Errorf("%w: %w", ErrMasterKeyFile, err)
	}
	if !info.Mode().IsRegular() {
		return refuse("is not a regular file")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return refuse(fmt.Sprintf("has mode %04o, others can read it: chmod 600", mode))
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && !ownedByUs(owner.Uid) {
		return refuse("belongs to another user")
	}
	text, err := readAtMost(path, 1024)
	if err != nil {
		return MasterKey{}, fmt.Errorf("%w: %w", ErrMasterKeyFile, err)
	}
	secret, why := parseMasterKey(text)
	if why != "" {
		return refuse(why)
	}
	return secret, nil
}

func ownedByUs(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(f, limit))
}

// parseMasterKey returns the secret, or why the text is none.
func parseMasterKey(text []byte) (secret MasterKey, why string) {
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
		return MasterKey{}, "holds the same byte over and over"
	}
	copy(secret.key[:], raw)
	return secret, ""
}

// CreateMasterKey makes a new secret file with mode 0600. It appears under its name whole and on
// disk, and never replaces one: when another process was first, that one's secret is returned.
func CreateMasterKey(path string) (MasterKey, error) {
	var secret MasterKey
	rand.Read(secret.key[:]) // cannot fail since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return MasterKey{}, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the link below keeps the file
	text := base64.StdEncoding.EncodeToString(secret.key[:]) + "\n"
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return MasterKey{}, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
		return LoadMasterKey(path)
	} else if err != nil {
		return MasterKey{}, err
	}
	return secret, syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a new name in a directory survive a power cut.
func syncDirectory(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// seal encrypts a signing key with XChaCha20-Poly1305 under a random nonce; about binds it to its
// row.
func (s MasterKey) seal(key []byte, about string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(key)+aead.Overhead())
	rand.Read(nonce) // cannot fail since Go 1.24
	return aead.Seal(nonce, nonce, key, []byte(about)), nil
}

// open decrypts what seal made. Errors: ErrMasterKeyWrong.
func (s MasterKey) open(sealed []byte, about string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrMasterKeyWrong
	}
	nonce, box := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	key, err := aead.Open(nil, nonce, box, []byte(about))
	if err != nil {
		return nil, ErrMasterKeyWrong
	}
	return key, nil
}

// derive makes another key of the secret, for one use.
func (s MasterKey) derive(use string) []byte {
	hash, _ := blake2b.New256(s.key[:]) // errs only for a longer key
	hash.Write([]byte(use))
	return hash.Sum(nil)
}
