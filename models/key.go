package models

import (
	"context"
	"encoding/base64"
	"fmt"
)

// SealedKey is a signing key as it is stored: readable only with the secret of the data
// directory.
type SealedKey struct {
	ID        int64
	CreatedAt int64 // Unix seconds
	SignsAt   int64 // Unix seconds: it signs from here on, until a later key does
	Sealed    []byte
}

// Seal makes the sealed form of a new key from its id and time.
type Seal func(id, createdAt int64) ([]byte, error)

// KeyUse is what still depends on a key.
type KeyUse struct {
	Tokens int // live tokens that it signed
	Users  int // whose they are
}

// Keys returns the sealed signing keys, newest first.
func (s *Store) Keys(ctx context.Context) ([]SealedKey, error) {
	var keys []SealedKey
	err := s.all(ctx, "SELECT id, created_at, signs_at, sealed FROM keys ORDER BY id DESC", nil,
		func(scan func(...any) error) error {
			var k SealedKey
			var text string
			if err := scan(&k.ID, &k.CreatedAt, &k.SignsAt, &text); err != nil {
				return err
			}
			var err error
			if k.Sealed, err = base64.StdEncoding.DecodeString(text); err != nil {
				return fmt.Errorf("%w: key %d: %w", ErrDamaged, k.ID, err)
			}
			keys = append(keys, k)
			return nil
		})
	return keys, err
}

// KeyUse says what still depends on a key.
func (s *Store) KeyUse(ctx context.Context, id int64) (KeyUse, error) {
	var u KeyUse
	err := s.scan(ctx, `SELECT COUNT(*), COUNT(DISTINCT uid) FROM tokens
		WHERE key_id = $1 AND ends_at > $2`, []any{id, now()}, &u.Tokens, &u.Users)
	return u, err
}

// CreateFirstKey stores the key that seal makes from its id and time, as the only one, if there
// is no account yet. As every change to the keys it takes the number of the newest change that
// its caller knows. Errors: ErrChanged, also when there was a later change.
func (s *Store) CreateFirstKey(ctx context.Context, known int64, seal Seal) error {
	return s.inTransaction(ctx, func(t transaction) error {
		if err := t.changeRing(known); err != nil {
			return err
		}
		var users int64
		if err := t.scan("SELECT COUNT(*) FROM users", nil, &users); err != nil {
			return err
		}
		if users > 0 {
			return ErrChanged
		}
		if _, err := t.exec("DELETE FROM keys"); err != nil {
			return err
		}
		return t.createKey(0, seal)
	})
}

// CreateKey stores one more key, which signs after so many seconds. Errors: ErrChanged.
func (s *Store) CreateKey(ctx context.Context, known, signsAfter int64, seal Seal) error {
	return s.inTransaction(ctx, func(t transaction) error {
		if err := t.changeRing(known); err != nil {
			return err
		}
		return t.createKey(signsAfter, seal)
	})
}

// changeRing numbers a change to the keys, which locks out other changes until the commit. It
// fails with ErrChanged when the caller does not know the newest change: a key sealed under a
// secret that was replaced meanwhile could never be opened again.
func (t transaction) changeRing(known int64) error {
	number, err := t.next("ring")
	if err == nil && number != known+1 {
		err = ErrChanged
	}
	return err
}

func (t transaction) createKey(signsAfter int64, seal Seal) error {
	id, err := t.next("key")
	if err != nil {
		return err
	}
	at := now()
	sealed, err := seal(id, at)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO keys (id, created_at, signs_at, sealed) VALUES ($1, $2, $3, $4)",
		id, at, at+signsAfter, base64.StdEncoding.EncodeToString(sealed))
	return err
}

// RetireKey deletes a key and ends every token that it signed. With seal it also makes a key that
// signs at once, for the case that the retired one did. Errors: ErrNotFound, ErrChanged.
func (s *Store) RetireKey(ctx context.Context, known, id int64, seal Seal) error {
	return s.inTransaction(ctx, func(t transaction) error {
		if err := t.changeRing(known); err != nil {
			return err
		}
		t.effects.destructive = true
		rows, err := t.exec("DELETE FROM keys WHERE id = $1", id)
		if err != nil {
			return err
		}
		if rows == 0 {
			return ErrNotFound
		}
		if _, err := t.exec("UPDATE tokens SET ends_at = 0 WHERE key_id = $1 AND ends_at > 0",
			id); err != nil {
			return err
		}
		if seal == nil {
			return nil
		}
		return t.createKey(0, seal)
	})
}

// DropKeys deletes the keys below the id signing whose last token expired before the given Unix
// second.
func (s *Store) DropKeys(ctx context.Context, signing, before int64) error {
	const old = `id < $1 AND NOT EXISTS
		(SELECT 1 FROM tokens WHERE tokens.key_id = keys.id AND tokens.expires_at >= $2)`
	found, err := s.exists(ctx, "SELECT 1 FROM keys WHERE "+old+" LIMIT 1", signing, before)
	if err != nil || !found {
		return err
	}
	return s.inTransaction(ctx, func(t transaction) error {
		if _, err := t.next("ring"); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM keys WHERE "+old, signing, before)
		return err
	})
}

// ResealKeys replaces the sealed form of every key by what reseal makes of it. Errors: ErrChanged.
func (s *Store) ResealKeys(
	ctx context.Context, known int64, reseal func(SealedKey) ([]byte, error),
) error {
	return s.inTransaction(ctx, func(t transaction) error {
		if err := t.changeRing(known); err != nil {
			return err
		}
		keys, err := s.Keys(ctx) // nobody else changes them before the commit
		if err != nil {
			return err
		}
		for _, k := range keys {
			sealed, err := reseal(k)
			if err != nil {
				return err
			}
			if _, err := t.exec("UPDATE keys SET sealed = $1 WHERE id = $2",
				base64.StdEncoding.EncodeToString(sealed), k.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// ActivateKey lets a key sign that waits to, if every node knows a change to the keys of at least a
// number. It says whether it did.
func (s *Store) ActivateKey(ctx context.Context, id, ring int64) (done bool, err error) {
	err = s.inTransaction(ctx, func(t transaction) error {
		done = false
		if err := t.lock("ring"); err != nil {
			return err
		}
		rows, err := t.exec(`UPDATE keys SET signs_at = $1 WHERE id = $2 AND signs_at > $3 AND NOT EXISTS
			(SELECT 1 FROM nodes WHERE ring < $4 AND seen_at + lag + 60 > $5)`,
			now(), id, now(), ring, now())
		if err != nil || rows == 0 {
			return err
		}
		done = true
		_, err = t.next("ring")
		return err
	})
	return done, err
}
