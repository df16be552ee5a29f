package models

import "context"

// Recover makes a database usable again that is damaged, or older than it was. What ended cannot be
// known any longer, so every token and link ends, by a new key in the place of all. Users whose row
// is not as it was written are disabled and have no rights; their ids are returned. It takes the
// number of the newest change to the keys. Errors: ErrChanged.
func (s *Store) Recover(ctx context.Context, known int64, seal Seal) (damaged []uint32, err error) {
	marked := int64(0)
	if e, ok := s.engine.(*sqlite); ok {
		if marked, err = e.changes.value(); err != nil {
			return nil, err
		}
	}
	err = s.inTransaction(ctx, func(t transaction) error {
		damaged = nil
		if err := t.changeRing(known); err != nil {
			return err
		}
		users, err := t.userRows()
		if err != nil {
			return err
		}
		for _, row := range users {
			if row.check() == nil {
				continue
			}
			damaged = append(damaged, row.ID)
			row.Role, row.State, row.epoch = RoleUser, Disabled, row.epoch+1
			if err := t.storeUser(row); err != nil {
				return err
			}
		}
		for _, statement := range []string{"DELETE FROM endings", "DELETE FROM resets",
			"DELETE FROM keys", "UPDATE tokens SET ends_at = 0 WHERE ends_at > 0",
			"UPDATE sequences SET value = 0 WHERE name = 'endings checksum'"} {
			if _, err := t.exec(statement); err != nil {
				return err
			}
		}
		t.effects.destructive = true
		_, err = t.exec("UPDATE sequences SET value = $1 WHERE name = 'change' AND value < $2",
			marked, marked)
		if err != nil {
			return err
		}
		return t.createKey(0, seal)
	})
	return damaged, err
}
