package models

import (
	"context"
	"errors"
)

// HasAdministrator says whether an administrator exists, disabled or not.
func (s *Store) HasAdministrator(ctx context.Context) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM users WHERE role = $1 LIMIT 1", RoleAdministrator)
}

// CreateFirstAdministrator stores an administrator if there is none yet. Errors: ErrSetupDone,
// ErrAccountTaken.
func (s *Store) CreateFirstAdministrator(ctx context.Context, n NewUser) (User, error) {
	n.Role = RoleAdministrator
	var u User
	err := s.inTransaction(ctx, func(t transaction) error {
		if err := t.lock("setup"); err != nil { // no second one at the same time
			return err
		}
		var administrators int
		err := t.scan("SELECT COUNT(*) FROM users WHERE role = $1", []any{RoleAdministrator},
			&administrators)
		if err != nil {
			return err
		}
		if administrators > 0 {
			return ErrSetupDone
		}
		u, err = t.createUser(n)
		return err
	})
	return u, err
}

// recordAdministrator remembers when the newest administrator was made.
func (t transaction) recordAdministrator(role Role) error {
	if role != RoleAdministrator {
		return nil
	}
	_, err := t.exec("UPDATE sequences SET value = $1 WHERE name = 'setup'", now())
	return err
}

// SetupUsed says whether a link for the first administrator that was made at a Unix second is
// spent, because an administrator was made since, whatever has become of it.
func (s *Store) SetupUsed(ctx context.Context, issuedAt int64) (bool, error) {
	return s.exists(ctx, "SELECT 1 FROM sequences WHERE name = 'setup' AND value >= $1", issuedAt)
}

// changeAdministrators does what a change of role or state means for administrators; before is the
// user's row before it. Errors: ErrLastAdministrator.
func (t transaction) changeAdministrators(before User, up UserUpdate) error {
	if up.Role != nil {
		if err := t.recordAdministrator(*up.Role); err != nil {
			return err
		}
	}
	if up.Role == nil && up.State == nil {
		return nil
	}
	return t.checkAdministratorRemains(before)
}

// checkAdministratorRemains rejects a change to an active administrator if no other is left. before
// is the user's row before the change. Errors: ErrLastAdministrator.
func (t transaction) checkAdministratorRemains(before User) error {
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
