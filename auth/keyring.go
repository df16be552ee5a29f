package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"latchkey/models"
)

// KeyRing holds the signing keys, newest first: the newest signs, all verify. It is not changed
// after it was made, so it is safe for concurrent use.
type KeyRing struct {
	keys     []ringKey
	verified *verifiedTokens
}

type ringKey struct {
	id        int64
	createdAt int64 // Unix seconds
	codec     codec
}

func newKeyRing(keys ...ringKey) *KeyRing {
	return &KeyRing{keys: keys, verified: newVerifiedTokens()}
}

// LoadKeyRing opens the keys of a store with the data directory's secret. While there is no
// account, it makes the first key when there is none, or when the keys there were sealed under a
// secret that is lost. Errors: ErrSecretWrong, and those of the store.
func LoadKeyRing(ctx context.Context, store *models.Store, secret Secret) (*KeyRing, error) {
	sealed, err := store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := openKeys(sealed, secret)
	if err == nil && len(ring.keys) > 0 {
		return ring, nil
	}
	used, storeErr := store.HasUsers(ctx)
	switch {
	case storeErr != nil:
		return nil, storeErr
	case used && err == nil:
		return nil, fmt.Errorf("%w: there are accounts but no keys", ErrSecretWrong)
	case used:
		return nil, err
	}
	return createFirstKey(ctx, store, secret, sealed)
}

func createFirstKey(
	ctx context.Context, store *models.Store, secret Secret, old []models.SealedKey,
) (*KeyRing, error) {
	var replacing int64
	if len(old) > 0 {
		replacing = old[0].ID
	}
	err := store.CreateFirstKey(ctx, replacing, func(id, createdAt int64) ([]byte, error) {
		key := make([]byte, keySize)
		rand.Read(key) // cannot fail since Go 1.24
		return secret.seal(key, aboutKey(id, createdAt))
	})
	if err != nil && !errors.Is(err, models.ErrChanged) { // ErrChanged: another process was first
		return nil, err
	}
	sealed, err := store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return openKeys(sealed, secret)
}

// openKeys makes a ring of sealed keys, which come newest first.
func openKeys(sealed []models.SealedKey, secret Secret) (*KeyRing, error) {
	keys := make([]ringKey, 0, len(sealed))
	for _, k := range sealed {
		key, err := secret.open(k.Sealed, aboutKey(k.ID, k.CreatedAt))
		if err != nil {
			return nil, err
		}
		if len(key) != keySize {
			return nil, fmt.Errorf("%w: key %d has %d bytes", ErrSecretWrong, k.ID, len(key))
		}
		keys = append(keys, ringKey{k.ID, k.CreatedAt, newCodec(key)})
	}
	return newKeyRing(keys...), nil
}

func aboutKey(id, createdAt int64) string {
	return fmt.Sprintf("latchkey signing key %d of %d", id, createdAt)
}

// encode signs with the newest key.
func (r *KeyRing) encode(purpose string, i Identity) (string, error) {
	return r.keys[0].codec.encode(purpose, i)
}

// authenticate is decode for tokens of clients, which come again and again.
func (r *KeyRing) authenticate(token string) (Identity, error) {
	hash := r.verified.hash(token)
	if i, ok := r.verified.find(hash, token); ok {
		return i, nil
	}
	i, err := r.decode(purposeToken, token)
	if err == nil {
		r.verified.keep(hash, token, i)
	}
	return i, err
}

// decode authenticates a token of a purpose with whichever key made it, newest first. It does not
// judge times.
func (r *KeyRing) decode(purpose, token string) (Identity, error) {
	if err := checkForm(token); err != nil {
		return Identity{}, err
	}
	for _, key := range r.keys {
		i, err := key.codec.decode(purpose, token)
		if err == nil || errors.Is(err, errClaims) {
			return i, err
		}
	}
	return Identity{}, errSignature
}
