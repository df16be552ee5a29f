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

// KeyRing holds the signing keys: one signs, all verify. reload reads them from the store again. It
// is safe for concurrent use.
type KeyRing struct {
	store *models.Store
	path  string // of the master key

	mu        sync.Mutex // serializes reload
	masterKey atomic.Pointer[MasterKey]
	now       atomic.Pointer[keySet]
}

// keySet is an immutable set of keys.
type keySet struct {
	number   int64     // of the last change to the keys that it includes
	keys     []ringKey // newest first
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

// signing returns the newest key that may sign.
func (s *keySet) signing(now int64) ringKey {
	for _, key := range s.keys {
		if key.signsAt <= now {
			return key
		}
	}
	return s.keys[len(s.keys)-1] // the clock was set back; every process knows the oldest key
}

// LoadKeyRing opens the keys of a store with the master key, which was read from path. While the
// store has no account, it creates a first key if there is no key or only keys sealed under a lost
// master key. It completes an interrupted Authority.Reseal. Errors: ErrMasterKeyWrong, and the
// store's.
func LoadKeyRing(
	ctx context.Context, store *models.Store, key MasterKey, path string,
) (*KeyRing, error) {
	r := &KeyRing{store: store, path: path}
	r.masterKey.Store(&key)
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
		return nil, fmt.Errorf("%w: %s", err, hintOtherNodes)
	case used && err == nil:
		return nil, errNoKeys
	case used:
		return nil, err
	}
	return r, r.createFirstKey(ctx)
}

const hintOtherNodes = "copy that of the other nodes"

// errNoKeys means that the keys of a store with accounts were deleted.
var errNoKeys = fmt.Errorf("%w: the store has no keys", ErrMasterKeyWrong)

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
		err = fmt.Errorf("%w: %s", err, hintOtherNodes)
	}
	return err
}

// Recover makes a store usable again that is damaged or restored from an older backup. It returns
// the ids of damaged users; see models.Store.Recover.
func (r *KeyRing) Recover(ctx context.Context) (damaged []uint32, err error) {
	damaged, err = r.store.Recover(ctx, r.now.Load().number, r.sealNew)
	if err != nil {
		return nil, err
	}
	return damaged, r.reload(ctx)
}

// sealNew returns a new key, sealed for its row.
func (r *KeyRing) sealNew(id, createdAt int64) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // cannot fail since Go 1.24
	return r.masterKey.Load().seal(key, keyRow(id, createdAt))
}

// reload reads the key ring again. Errors: ErrMasterKeyWrong, and the store's.
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

// read reads the keys and opens them with the master key in memory. If another process has replaced
// that, it opens them with the one on disk, which may still be pending.
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
		key, fileErr := LoadMasterKey(path)
		if fileErr != nil {
			continue // err is reported
		}
		if set, fileErr = openKeys(sealed, key); fileErr == nil {
			err = nil
			r.masterKey.Store(&key)
		}
	}
	if err != nil {
		return nil, err
	}
	set.number = head.Ring
	return set, nil
}

func openKeys(sealed []models.SealedKey, master MasterKey) (*keySet, error) {
	keys := make([]ringKey, 0, len(sealed))
	for _, k := range sealed {
		key, err := openKey(k, master)
		if err != nil {
			return nil, err
		}
		keys = append(keys, ringKey{k.ID, k.SignsAt, newCodec(key)})
	}
	return newKeySet(keys...), nil
}

func openKey(k models.SealedKey, master MasterKey) ([]byte, error) {
	key, err := master.open(k.Sealed, keyRow(k.ID, k.CreatedAt))
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("%w: key %d has %d bytes, not %d", ErrMasterKeyWrong, k.ID, len(key), keySize)
	}
	return key, err
}

func keyRow(id, createdAt int64) string {
	return fmt.Sprintf("latchkey signing key %d of %d", id, createdAt)
}

// pendingMasterKey returns the path of a new master key until the keys are sealed under it.
func pendingMasterKey(path string) string { return path + ".new" }

// adopt replaces the master key file by the pending one once the keys are sealed under that.
// Another process may do so at the same time.
func (r *KeyRing) adopt() error {
	for _, last := range []bool{false, true} {
		current, err := LoadMasterKey(r.path)
		if err != nil || current == *r.masterKey.Load() {
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

// encode signs an identity and returns the id of the key that did.
func (r *KeyRing) encode(purpose string, i Identity) (token string, keyID int64, err error) {
	key := r.now.Load().signing(time.Now().Unix())
	token, err = key.codec.encode(purpose, i)
	return token, key.id, err
}

// authenticate is decode for tokens of clients, with a cache.
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

// decode authenticates a token with the key that signed it and returns its identity. It does not
// check times.
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
