package models

import (
	"context"
	"errors"
)

// UserUpdate is a change to an account; nil fields stay. A new role, state or password revokes
// every token of the account, for Reason, and every link to set its password.
type UserUpdate struct {
	Nickname     *string
	Role         *Role
	State        *State
	PasswordHash *string // PHC string
	Reason       string  // stored with the revocation

	// The conditions of the update.
	IfEpoch *int64   // the account still has this epoch: see Credentials
	Reset   *TokenID // this link works and the account is active; the update uses the link up
}

func (up UserUpdate) revokesTokens() bool {
	return up.Role != nil || up.State != nil || up.PasswordHash != nil
}

// UpdateUser changes an account and revokes its tokens where the update says so, in one
// transaction. It returns the revocation, zero if there was no token. Errors: ErrNotFound,
// ErrChanged if IfEpoch or Reset is not met, ErrLastAdministrator if KeepLast is not.
func (s *Store) UpdateUser(
	ctx context.Context, id uint32, up UserUpdate,
) (revoked Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		row, err := t.lockForUpdate(id, up)
		if err != nil {
			return err
		}
		before := row.User
		up.apply(&row)
		if up.revokesTokens() {
			if revoked, err = t.revokeAll(&row, up.Reason); err != nil {
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
	return revoked, err
}

// lockForUpdate reads a user if the update's conditions are met. Transactions that create or
// remove administrators run one after the other.
func (t *transaction) lockForUpdate(id uint32, up UserUpdate) (userRow, error) {
	if up.Role != nil || up.State != nil {
		if err := t.lock(setupTime); err != nil {
			return userRow{}, err
		}
	}
	row, err := t.lockUser(id)
	if errors.Is(err, ErrNotFound) || err == nil && !up.isMet(row) {
		return row, up.unmet()
	}
	if err == nil && up.Reset != nil {
		err = t.useReset(*up.Reset)
	}
	return row, err
}

func (up UserUpdate) isMet(row userRow) bool {
	return (up.IfEpoch == nil || *up.IfEpoch == row.epoch) && (up.Reset == nil || row.State == Active)
}

// unmet returns the error for a condition that is not met, or a user that does not exist.
func (up UserUpdate) unmet() error {
	if up.IfEpoch != nil || up.Reset != nil {
		return ErrChanged
	}
	return ErrNotFound
}

func (up UserUpdate) apply(row *userRow) {
	row.UpdatedAt = now()
	if up.revokesTokens() {
		row.epoch++
	}
	set(&row.Nickname, up.Nickname)
	set(&row.Role, up.Role)
	set(&row.State, up.State)
	set(&row.passwordHash, up.PasswordHash)
}

// set assigns a new value unless it is nil.
func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// ReplaceHash stores another hash of the same password, unless the stored hash is no longer old.
// It revokes no token.
func (s *Store) ReplaceHash(ctx context.Context, id uint32, old, hash string) error {
	return s.inTransaction(ctx, func(t *transaction) error {
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

// DeleteUser deletes an account and revokes its tokens for a reason; the account can be registered
// again. It returns the revocation, zero if there was no token. Errors: ErrNotFound,
// ErrLastAdministrator.
func (s *Store) DeleteUser(
	ctx context.Context, id uint32, reason string,
) (revoked Revocation, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		t.destructive = true
		if err := t.lock(setupTime); err != nil {
			return err
		}
		row, err := t.lockUser(id)
		if err != nil {
			return err
		}
		if revoked, err = t.revokeAll(&row, reason); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE id = $1", id); err != nil {
			return err
		}
		return t.requireAdministrator(row.User)
	})
	return revoked, err
}
