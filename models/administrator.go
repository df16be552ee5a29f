package models

import (
	"context"
	"errors"
)

// HasAdministrator reports whether there is an administrator, active or disabled.
func (s *Store) HasAdministrator(ctx context.Context) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM users WHERE role = $1 LIMIT 1", RoleAdministrator)
}

// CreateFirstAdministrator creates an administrator if none exists. Errors: ErrSetupDone,
// ErrAccountTaken.
func (s *Store) CreateFirstAdministrator(ctx context.Context, n NewUser) (u User, err error) {
	n.Role = RoleAdministrator
	err = s.inTransaction(ctx, func(t *transaction) error {
		if err := t.lock(setupTime); err != nil { // another process may do the same
			return err
		}
		var one int
		err := t.scan("SELECT 1 FROM users WHERE role = $1 LIMIT 1", []any{RoleAdministrator}, &one)
		if err == nil {
			return ErrSetupDone
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		u, err = t.createUser(n)
		return err
	})
	return u, err
}

// SetupUsed reports whether the link to create the first administrator, issued at a Unix second,
// no longer works: an administrator was created since, even if it no longer exists.
func (s *Store) SetupUsed(ctx context.Context, issuedAt int64) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM sequences WHERE name = $1 AND value >= $2", setupTime,
		issuedAt)
}

// recordSetup stores the time if a user becomes an administrator.
func (t *transaction) recordSetup(role Role) error {
	if role != RoleAdministrator {
		return nil
	}
	_, err := t.exec("UPDATE sequences SET value = $1 WHERE name = $2", now(), setupTime)
	return err
}

// changeAdministrators does what an update means for the administrators. before is the user before
// the update. Errors: ErrLastAdministrator.
func (t *transaction) changeAdministrators(before User, up UserUpdate) error {
	if up.Role != nil {
		if err := t.recordSetup(*up.Role); err != nil {
			return err
		}
	}
	if up.Role == nil && up.State == nil {
		return nil
	}
	return t.requireAdministrator(before)
}

// requireAdministrator checks that an active administrator remains after a change to a user. before
// is the user before the change. Errors: ErrLastAdministrator.
func (t *transaction) requireAdministrator(before User) error {
	if before.Role != RoleAdministrator || before.State != Active {
		return nil
	}
	var one int
	err := t.scan("SELECT 1 FROM users WHERE role = $1 AND state = $2 LIMIT 1",
		[]any{RoleAdministrator, Active}, &one)
	if errors.Is(err, ErrNotFound) {
		return ErrLastAdministrator
	}
	return err
}
