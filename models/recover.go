package models

import "context"

// Recover makes a damaged or older database usable again. It cannot know which tokens were
// revoked, so it revokes every token and link by replacing all signing keys with a new one. It
// disables the users whose rows are damaged, takes their rights away and returns their ids. known
// is the number of the newest change to the signing keys. Errors: ErrChanged.
func (s *Store) Recover(ctx context.Context, known int64, seal Seal) (damaged []uint32, err error) {
	counted, err := s.changes.value()
	if err != nil {
		return nil, err
	}
	err = s.inTransaction(ctx, func(t *transaction) error {
		t.destructive = true
		if err := t.changeKeyRing(known); err != nil {
			return err
		}
		if damaged, err = t.disableDamagedUsers(); err != nil {
			return err
		}
		if err := t.revokeEverything(); err != nil {
			return err
		}
		_, err := t.exec("UPDATE sequences SET value = $1 WHERE name = $2 AND value < $3",
			counted, changeSequence, counted)
		if err != nil {
			return err
		}
		return t.createKey(0, seal)
	})
	return damaged, err
}

// disableDamagedUsers disables the users whose rows are damaged and returns their ids.
func (t *transaction) disableDamagedUsers() (damaged []uint32, err error) {
	users, err := t.userRows(userColumns)
	if err != nil {
		return nil, err
	}
	for _, row := range users {
		if row.check() == nil {
			continue
		}
		damaged = append(damaged, row.ID)
		row.Role, row.State, row.epoch = RoleUser, Disabled, row.epoch+1
		if err := t.storeUser(row); err != nil {
			return nil, err
		}
	}
	return damaged, nil
}

// revokeEverything deletes all signing keys, links and revocations. Without its key, no token is
// accepted.
func (t *transaction) revokeEverything() error {
	for _, statement := range []string{"DELETE FROM keys", "DELETE FROM resets",
		"DELETE FROM endings", "UPDATE tokens SET ends_at = 0 WHERE ends_at > 0"} {
		if _, err := t.exec(statement); err != nil {
			return err
		}
	}
	_, err := t.exec("UPDATE sequences SET value = 0 WHERE name = $1", revocationChecksum)
	return err
}
