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
	ErrSecretMissing = errors.New("secret is missing")
	ErrSecretFile    = errors.New("secret cannot be used")
	ErrSecretWrong   = errors.New("secret does not open the signing keys")
)

// SecretSize is the size of the data directory's secret in bytes.
const SecretSize = chacha20poly1305.KeySize

// Secret seals the signing keys that are kept in the store. It never leaves its file but for
// memory.
type Secret struct{ key [SecretSize]byte }

// String keeps the secret out of anything that is printed.
func (Secret) String() string { return "secret" }

// GoString keeps the secret out of anything that is printed.
func (Secret) GoString() string { return "secret" }

// LoadSecret reads a secret file: base64 of 32 bytes and at most one line end, readable for its
// owner alone. Errors: ErrSecretMissing, ErrSecretFile.
func LoadSecret(path string) (Secret, error) {
	refuse := func(why string) (Secret, error) {
		return Secret{}, fmt.Errorf("%w: %s %s", ErrSecretFile, path, why)
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return Secret{}, fmt.Errorf("%w: %s", ErrSecretMissing, path)
	}
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %w", ErrSecretFile, err)
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
		return Secret{}, fmt.Errorf("%w: %w", ErrSecretFile, err)
	}
	secret, why := parseSecret(text)
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

// parseSecret returns the secret, or why the text is none.
func parseSecret(text []byte) (secret Secret, why string) {
	text, _ = bytes.CutSuffix(text, []byte("\n"))
	if len(text) == 0 {
		return Secret{}, "is empty"
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	switch {
	case err != nil || bytes.ContainsAny(text, "\r\n"):
		return Secret{}, "is not one line of base64"
	case len(raw) != SecretSize:
		return Secret{}, fmt.Sprintf("holds %d bytes, not %d", len(raw), SecretSize)
	case bytes.Count(raw, raw[:1]) == len(raw):
		return Secret{}, "holds the same byte over and over"
	}
	copy(secret.key[:], raw)
	return secret, ""
}

// CreateSecret makes a new secret file with mode 0600. It appears under its name whole and on
// disk, and never replaces one: when another process was first, that one's secret is returned.
func CreateSecret(path string) (Secret, error) {
	var secret Secret
	rand.Read(secret.key[:]) // cannot fail since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return Secret{}, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the link below keeps the file
	text := base64.StdEncoding.EncodeToString(secret.key[:]) + "\n"
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return Secret{}, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
		return LoadSecret(path)
	} else if err != nil {
		return Secret{}, err
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
func (s Secret) seal(key []byte, about string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(key)+aead.Overhead())
	rand.Read(nonce) // cannot fail since Go 1.24
	return aead.Seal(nonce, nonce, key, []byte(about)), nil
}

// open decrypts what seal made. Errors: ErrSecretWrong.
func (s Secret) open(sealed []byte, about string) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(s.key[:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSecretWrong
	}
	nonce, box := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	key, err := aead.Open(nil, nonce, box, []byte(about))
	if err != nil {
		return nil, ErrSecretWrong
	}
	return key, nil
}

// derive makes another key of the secret, for one use.
func (s Secret) derive(use string) []byte {
	hash, _ := blake2b.New256(s.key[:]) // errs only for a longer key
	hash.Write([]byte(use))
	return hash.Sum(nil)
}
