package models

import "context"

// CreateReset stores the link with which a user can set a new password. Each user has one: an
// earlier link no longer works. Errors: ErrNotFound for an unknown or disabled user.
func (s *Store) CreateReset(ctx context.Context, uid uint32) (TokenID, error) {
	id := TokenID{UID: uid}
	err := s.inTransaction(ctx, func(t *transaction) error {
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

// HasReset reports whether a link can still be used.
func (s *Store) HasReset(ctx context.Context, id TokenID) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM resets WHERE uid = $1 AND issued_at = $2 AND serial = $3",
		id.UID, id.IssuedAt, id.Serial)
}

// useReset deletes a link. Errors: ErrChanged if it no longer works.
func (t *transaction) useReset(id TokenID) error {
	rows, err := t.exec("DELETE FROM resets WHERE uid = $1 AND issued_at = $2 AND serial = $3",
		id.UID, id.IssuedAt, id.Serial)
	if err == nil && rows == 0 {
		err = ErrChanged
	}
	return err
}
