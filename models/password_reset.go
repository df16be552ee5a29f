package models

import (
	"context"
	"errors"
)

// CreateReset remembers the one link by which a user's secret can be set anew; an earlier link of
// the user works no longer. Errors: ErrNotFound for an unknown or disabled user.
func (s *Store) CreateReset(ctx context.Context, uid uint32) (TokenID, error) {
	id := TokenID{UID: uid}
	err := s.inTransaction(ctx, func(t transaction) error {
		id.IssuedAt = now()
		row, err := t.lockUser(uid)
		if err == nil && row.State != Active {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.scan(`INSERT INTO resets (uid, issued_at, serial) VALUES ($1, $2, 0)
			ON CONFLICT (uid) DO UPDATE
			SET issued_at = excluded.issued_at, serial = (resets.serial + 1) % 4096
			RETURNING serial`, []any{uid, id.IssuedAt}, &id.Serial)
	})
	return id, err
}

// HasReset says whether a link can still be used.
func (s *Store) HasReset(ctx context.Context, id TokenID) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM resets WHERE uid = $1 AND issued_at = $2 AND serial = $3",
		id.UID, id.IssuedAt, id.Serial)
}

// useReset uses a link up. Errors: ErrChanged when it was used already.
func (t transaction) useReset(id TokenID) error {
	var uid uint32
	err := t.scan(`DELETE FROM resets WHERE uid = $1 AND issued_at = $2 AND serial = $3
		RETURNING uid`, []any{id.UID, id.IssuedAt, id.Serial}, &uid)
	if errors.Is(err, ErrNotFound) {
		return ErrChanged
	}
	return err
}
