package models

import (
	"context"
	"encoding/base64"
)

// SealedKey is a signing key as it is stored: readable only with the secret of the data
// directory.
type SealedKey struct {
	ID        int64
	CreatedAt int64 // Unix seconds
	Sealed    []byte
}

// Keys returns the sealed signing keys, newest first.
func (s *Store) Keys(ctx context.Context) ([]SealedKey, error) {
	var keys []SealedKey
	err := s.all(ctx, "SELECT id, created_at, sealed FROM keys ORDER BY id DESC", nil,
		func(scan func(...any) error) error {
			var k SealedKey
			var text string
			if err := scan(&k.ID, &k.CreatedAt, &text); err != nil {
				return err
			}
			sealed, err := base64.StdEncoding.DecodeString(text)
			k.Sealed = sealed
			keys = append(keys, k)
			return err
		})
	return keys, err
}

// CreateFirstKey stores the key that seal makes from its id and time, as the only one, if there
// is no account yet and the newest key is still the one with the id replacing (0: there is none).
// Errors: ErrChanged.
func (s *Store) CreateFirstKey(
	ctx context.Context, replacing int64, seal func(id, createdAt int64) ([]byte, error),
) error {
	return s.inTransaction(ctx, func(t transaction) error {
		id, err := t.next("key")
		if err != nil {
			return err
		}
		var users, newest int64
		err = t.scan(
			"SELECT (SELECT COUNT(*) FROM users), (SELECT COALESCE(MAX(id), 0) FROM keys)",
			nil,
			&users,
			&newest,
		)
		if err != nil {
			return err
		}
		if users > 0 || newest != replacing {
			return ErrChanged
		}
		if _, err := t.exec("DELETE FROM keys"); err != nil {
			return err
		}
		at := now()
		sealed, err := seal(id, at)
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO keys (id, created_at, sealed) VALUES ($1, $2, $3)",
			id, at, base64.StdEncoding.EncodeToString(sealed))
		return err
	})
}
