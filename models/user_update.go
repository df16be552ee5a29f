package models

import (
	"context"
	"errors"
)

// UserUpdate is a change to an account; nil fields stay. A change of role, state or secret ends
// every token of the account, for Reason, and every link to set its secret.
type UserUpdate struct {
	Nickname     *string
	Role         *Role
	State        *State
	PasswordHash *string
	Reason       string

	IfEpoch *int64   // only if this is still the account's epoch: see Credentials
	Reset   *TokenID // only by using up this link, and only of an active account
}

func (up UserUpdate) revokesTokens() bool {
	return up.Role != nil || up.State != nil || up.PasswordHash != nil
}

// UpdateUser changes an account and, when its role, state or secret changes, ends every token of
// it in the same transaction; the ending is returned (zero when no token was live). Errors:
// ErrNotFound, ErrChanged when a condition of the update does not hold, ErrLastAdministrator.
func (s *Store) UpdateUser(ctx context.Context, id uint32, up UserUpdate) (Revocation, error) {
	var ending Revocation
	err := s.inTransaction(ctx, func(t transaction) error {
		row, err := t.lockForUpdate(id, up)
		if err != nil {
			return err
		}
		before := row.User
		up.apply(&row)
		if up.revokesTokens() {
			if ending, err = t.revokeAll(&row, up.Reason); err != nil {
				return err
			}
			if _, err := t.exec("DELETE FROM resets WHERE uid = $1", id); err != nil {
				return err
			}
		}
		if err := t.storeUser(row); err != nil {
			return err
		}
		return t.changeAdministrators(before, up)
	})
	return ending, err
}

// lockForUpdate reads a user for an update whose conditions are met. What makes or unmakes
// administrators is done one after the other.
func (t transaction) lockForUpdate(id uint32, up UserUpdate) (userRow, error) {
	if up.Role != nil || up.State != nil {
		if err := t.lock("setup"); err != nil {
			return userRow{}, err
		}
	}
	row, err := t.lockUser(id)
	if errors.Is(err, ErrNotFound) || err == nil && !up.holds(row) {
		return row, up.unmet()
	}
	if err == nil && up.Reset != nil {
		err = t.useReset(*up.Reset)
	}
	return row, err
}

// holds says whether the conditions of an update are met.
func (up UserUpdate) holds(row userRow) bool {
	return (up.IfEpoch == nil || *up.IfEpoch == row.epoch) && (up.Reset == nil || row.State == Active)
}

func (up UserUpdate) apply(row *userRow) {
	row.UpdatedAt = now()
	if up.revokesTokens() {
		row.epoch++
	}
	replace(&row.Nickname, up.Nickname)
	replace(&row.Role, up.Role)
	replace(&row.State, up.State)
	replace(&row.passwordHash, up.PasswordHash)
}

// replace puts a new value in the place of an old one, if there is one.
func replace[T any](old, value *T) {
	if value != nil {
		*old = *value
	}
}

// unmet is what it means that an update found no row.
func (up UserUpdate) unmet() error {
	if up.IfEpoch != nil || up.Reset != nil {
		return ErrChanged
	}
	return ErrNotFound
}

// ReplaceHash stores another hash of the same secret, unless the hash is no longer the old one.
// It ends no token.
func (s *Store) ReplaceHash(ctx context.Context, id uint32, old, hash string) error {
	return s.inTransaction(ctx, func(t transaction) error {
		row, err := t.lockUser(id)
		if errors.Is(err, ErrNotFound) || err == nil && row.passwordHash != old {
			return nil
		}
		if err != nil {
			return err
		}
		row.passwordHash = hash
		return t.storeUser(row)
	})
}

// DeleteUser deletes an account, revokes its tokens, and frees the account's name. Errors:
// ErrNotFound, ErrLastAdministrator.
func (s *Store) DeleteUser(ctx context.Context, id uint32) (Revocation, error) {
	var ending Revocation
	err := s.inTransaction(ctx, func(t transaction) error {
		if err := t.lock("setup"); err != nil {
			return err
		}
		row, err := t.lockUser(id)
		if err != nil {
			return err
		}
		if ending, err = t.revokeAll(&row, "account deleted"); err != nil {
			return err
		}
		t.effects.destructive = true
		if _, err := t.exec("DELETE FROM users WHERE id = $1", id); err != nil {
			return err
		}
		return t.checkAdministratorRemains(row.User)
	})
	return ending, err
}
