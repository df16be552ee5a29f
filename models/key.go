package models

import (
	"context"
	"encoding/base64"
	"fmt"
)

// SealedKey is a stored signing key, encrypted under the master key.
type SealedKey struct {
	ID        int64
	CreatedAt int64 // Unix seconds
	SignsAt   int64 // Unix seconds: it signs from then on, until a later key does
	Sealed    []byte
}

// Seal creates a signing key and returns it sealed. The id and the time of creation, in Unix
// seconds, are sealed with it.
type Seal func(id, createdAt int64) ([]byte, error)

// Keys returns the signing keys, the newest first. Errors: ErrDamaged.
func (s *Store) Keys(ctx context.Context) ([]SealedKey, error) {
	var keys []SealedKey
	err := s.all(ctx, "SELECT id, created_at, signs_at, sealed FROM keys ORDER BY id DESC", nil,
		func(scan scanFunc) error {
			var k SealedKey
			var text string
			if err := scan(&k.ID, &k.CreatedAt, &k.SignsAt, &text); err != nil {
				return err
			}
			var err error
			if k.Sealed, err = base64.StdEncoding.DecodeString(text); err != nil {
				return fmt.Errorf("%w: signing key %d cannot be read: %w. Restore a backup, then run "+
					"latchkey recover", ErrDamaged, k.ID, err)
			}
			keys = append(keys, k)
			return nil
		})
	return keys, err
}

// KeyUse counts what still depends on a signing key.
type KeyUse struct {
	Tokens int // live tokens that it signed
	Users  int // owners of these tokens
}

// KeyUse returns what still depends on a signing key.
func (s *Store) KeyUse(ctx context.Context, id int64) (KeyUse, error) {
	var u KeyUse
	err := s.scan(ctx, `SELECT COUNT(*), COUNT(DISTINCT uid) FROM tokens
		WHERE key_id = $1 AND ends_at > $2`, []any{id, now()}, &u.Tokens, &u.Users)
	return u, err
}

// changeKeyRing numbers a change to the signing keys and keeps out other changes until the commit.
// known is the number of the newest change that the caller knows. Errors: ErrChanged if there was
// a later one. Otherwise a key could be sealed under a master key that has just been replaced, and
// never be opened.
func (t *transaction) changeKeyRing(known int64) error {
	number, err := t.next(keyRingSequence)
	if err == nil && number != known+1 {
		err = ErrChanged
	}
	return err
}

// CreateFirstKey stores a signing key as the only one if there is no account yet. known is the
// number of the newest change to the keys. Errors: ErrChanged if there is an account or there was
// a later change.
func (s *Store) CreateFirstKey(ctx context.Context, known int64, seal Seal) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		if err := t.changeKeyRing(known); err != nil {
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

// CreateKey adds a signing key, which signs after a number of seconds. known is the number of the
// newest change to the keys. Errors: ErrChanged if there was a later change.
func (s *Store) CreateKey(ctx context.Context, known, signsAfter int64, seal Seal) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		if err := t.changeKeyRing(known); err != nil {
			return err
		}
		return t.createKey(signsAfter, seal)
	})
}

func (t *transaction) createKey(signsAfter int64, seal Seal) error {
	id, err := t.next(keySequence)
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

// ActivateKey lets a waiting key sign now if every node knows the change to the keys with the
// number ring. It reports whether it did.
func (s *Store) ActivateKey(ctx context.Context, id, ring int64) (done bool, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		done = false
		if err := t.lock(keyRingSequence); err != nil {
			return err
		}
		rows, err := t.exec(`UPDATE keys SET signs_at = $1 WHERE id = $2 AND signs_at > $3 AND NOT EXISTS
			(SELECT 1 FROM nodes WHERE ring < $4 AND seen_at + lag + 60 > $5)`,
			now(), id, now(), ring, now())
		if err != nil || rows == 0 {
			return err
		}
		done = true
		_, err = t.next(keyRingSequence)
		return err
	})
	return done, err
}

// RetireKey deletes a signing key and revokes every token that it signed. If it is the key that
// signs, seal creates the one that takes its place; otherwise seal is nil. known is the number of
// the newest change to the keys. Errors: ErrNotFound, ErrChanged if there was a later change.
func (s *Store) RetireKey(ctx context.Context, known, id int64, seal Seal) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		t.destructive = true
		if err := t.changeKeyRing(known); err != nil {
			return err
		}
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

// DropKeys deletes the keys older than the one with the id signing whose last token expired before
// a Unix second.
func (s *Store) DropKeys(ctx context.Context, signing, before int64) error {
	const old = `id < $1 AND NOT EXISTS
		(SELECT 1 FROM tokens WHERE tokens.key_id = keys.id AND tokens.expires_at >= $2)`
	found, err := s.exists(ctx, "SELECT 1 FROM keys WHERE "+old+" LIMIT 1", signing, before)
	if err != nil || !found {
		return err
	}
	return s.inTransaction(ctx, func(t *transaction) error {
		if _, err := t.next(keyRingSequence); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM keys WHERE "+old, signing, before)
		return err
	})
}

// ResealKeys replaces each sealed key by what reseal returns for it. known is the number of the
// newest change to the keys. Errors: ErrChanged if there was a later change, and those of reseal.
func (s *Store) ResealKeys(
	ctx context.Context, known int64, reseal func(SealedKey) ([]byte, error),
) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		if err := t.changeKeyRing(known); err != nil {
			return err
		}
		keys, err := s.Keys(ctx) // no other transaction changes them before the commit
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
