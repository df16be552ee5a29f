package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// KeyRing holds the signing keys: one signs, all verify. It follows the store when it is told to.
// It is safe for concurrent use.
type KeyRing struct {
	store *models.Store
	path  string // of the secret

	mu        sync.Mutex // held while the keys are read
	masterKey atomic.Pointer[MasterKey]
	now       atomic.Pointer[keySet]
}

// keySet is the keys at one moment, newest first. It is never changed.
type keySet struct {
	number   int64 // of the newest change to the keys in it
	keys     []ringKey
	verified *verifiedCache
}

type ringKey struct {
	id      int64
	signsAt int64 // Unix seconds
	codec   codec
}

func newKeySet(keys ...ringKey) *keySet {
	return &keySet{keys: keys, verified: newVerifiedCache()}
}

// signing is the newest key whose time has come.
func (s *keySet) signing(now int64) ringKey {
	for _, key := range s.keys {
		if key.signsAt <= now {
			return key
		}
	}
	return s.keys[len(s.keys)-1] // the clock was set back: the oldest has been known the longest
}

// LoadKeyRing opens the keys of a store with the data directory's secret, which was read from the
// path. While there is no account, it makes the first key when there is none, or when the keys
// there were sealed under a secret that is lost. A change of the secret that was cut short is
// completed. Errors: ErrMasterKeyWrong, and those of the store.
func LoadKeyRing(
	ctx context.Context, store *models.Store, secret MasterKey, path string,
) (*KeyRing, error) {
	r := &KeyRing{store: store, path: path}
	r.masterKey.Store(&secret)
	set, err := r.read(ctx)
	if err == nil && len(set.keys) > 0 {
		r.now.Store(set)
		return r, r.adopt()
	}
	if err != nil && !errors.Is(err, ErrMasterKeyWrong) {
		return nil, err
	}
	used, storeErr := store.HasUsers(ctx)
	switch {
	case storeErr != nil:
		return nil, storeErr
	case store.Shared() && err != nil:
		return nil, fmt.Errorf("%w: copy that of the other nodes", err)
	case used && err == nil:
		return nil, errNoKeys
	case used:
		return nil, err
	}
	return r, r.createFirstKey(ctx)
}

// errNoKeys: they were deleted from beneath the accounts.
var errNoKeys = fmt.Errorf("%w: there are none", ErrMasterKeyWrong)

func (r *KeyRing) createFirstKey(ctx context.Context) error {
	head, err := r.store.Head(ctx)
	if err != nil {
		return err
	}
	err = r.store.CreateFirstKey(ctx, head.Ring, r.sealNew)
	if err != nil && !errors.Is(err, models.ErrChanged) { // ErrChanged: another process was first
		return err
	}
	if err = r.reload(ctx); errors.Is(err, ErrMasterKeyWrong) && r.store.Shared() {
		err = fmt.Errorf("%w: copy that of the other nodes", err)
	}
	return err
}

// Recover makes a data directory usable again that was damaged, or put back from an older copy: see
// models.Store.Recover.
func (r *KeyRing) Recover(ctx context.Context) (damaged []uint32, err error) {
	damaged, err = r.store.Recover(ctx, r.now.Load().number, r.sealNew)
	if err != nil {
		return nil, err
	}
	return damaged, r.reload(ctx)
}

// sealNew makes a new key, sealed.
func (r *KeyRing) sealNew(id, createdAt int64) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // cannot fail since Go 1.24
	return r.masterKey.Load().seal(key, aboutKey(id, createdAt))
}

// reload takes the keys of the store. Errors: those of the store, ErrMasterKeyWrong.
func (r *KeyRing) reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.read(ctx)
	if err != nil {
		return err
	}
	if len(set.keys) == 0 {
		return errNoKeys
	}
	r.now.Store(set)
	return nil
}

// read reads the keys and opens them with the secret at hand or, when it was replaced meanwhile,
// with the one that took or is about to take its place on disk.
func (r *KeyRing) read(ctx context.Context) (*keySet, error) {
	head, err := r.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	sealed, err := r.store.Keys(ctx) // at least as new as head
	if err != nil {
		return nil, err
	}
	set, err := openKeys(sealed, *r.masterKey.Load())
	for _, path := range []string{r.path, pendingMasterKey(r.path)} {
		if err == nil {
			break
		}
		secret, fileErr := LoadMasterKey(path)
		if fileErr != nil {
			continue // err tells
		}
		if set, fileErr = openKeys(sealed, secret); fileErr == nil {
			err = nil
			r.masterKey.Store(&secret)
		}
	}
	if err != nil {
		return nil, err
	}
	set.number = head.Ring
	return set, nil
}

func openKeys(sealed []models.SealedKey, secret MasterKey) (*keySet, error) {
	keys := make([]ringKey, 0, len(sealed))
	for _, k := range sealed {
		key, err := openKey(k, secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, ringKey{k.ID, k.SignsAt, newCodec(key)})
	}
	return newKeySet(keys...), nil
}

func openKey(k models.SealedKey, secret MasterKey) ([]byte, error) {
	key, err := secret.open(k.Sealed, aboutKey(k.ID, k.CreatedAt))
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("%w: key %d has %d bytes", ErrMasterKeyWrong, k.ID, len(key))
	}
	return key, err
}

func aboutKey(id, createdAt int64) string {
	return fmt.Sprintf("latchkey signing key %d of %d", id, createdAt)
}

// pendingMasterKey is where a new secret waits until the keys are sealed under it.
func pendingMasterKey(path string) string { return path + ".new" }

// adopt puts a new secret in its place when the keys are sealed under it already. It is done when
// another process was first.
func (r *KeyRing) adopt() error {
	for _, last := range []bool{false, true} {
		inPlace, err := LoadMasterKey(r.path)
		if err != nil || inPlace == *r.masterKey.Load() {
			return err
		}
		if err := os.Rename(pendingMasterKey(r.path), r.path); err == nil {
			return syncDirectory(filepath.Dir(r.path))
		} else if last || !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// encode signs, and says which key did.
func (r *KeyRing) encode(purpose string, i Identity) (token string, keyID int64, err error) {
	key := r.now.Load().signing(time.Now().Unix())
	token, err = key.codec.encode(purpose, i)
	return token, key.id, err
}

// authenticate is decode for tokens of clients, which come again and again.
func (r *KeyRing) authenticate(token string) (Identity, error) {
	set := r.now.Load()
	hash := set.verified.hash(token)
	if i, ok := set.verified.find(hash, token); ok {
		return i, nil
	}
	i, err := set.decode(purposeToken, token)
	if err == nil {
		set.verified.keep(hash, token, i)
	}
	return i, err
}

// decode authenticates a token of a purpose with whichever key made it, newest first. It does not
// judge times.
func (r *KeyRing) decode(purpose, token string) (Identity, error) {
	return r.now.Load().decode(purpose, token)
}

func (s *keySet) decode(purpose, token string) (Identity, error) {
	if err := checkForm(token); err != nil {
		return Identity{}, err
	}
	for _, key := range s.keys {
		i, err := key.codec.decode(purpose, token)
		if err == nil || errors.Is(err, errClaims) {
			return i, err
		}
	}
	return Identity{}, errSignature
}
