package models

import "context"

// Purge deletes tokens and revocations that expired before a Unix second, at most limit of each,
// and returns how many rows it deleted. Call it until it returns 0.
func (s *Store) Purge(ctx context.Context, before int64, limit int) (deleted int64, err error) {
	err = s.inTransaction(ctx, func(t *transaction) error {
		tokens, err := t.exec(`DELETE FROM tokens WHERE (uid, issued_at, serial) IN
			(SELECT uid, issued_at, serial FROM tokens WHERE expires_at < $1 LIMIT $2)`, before, limit)
		if err != nil {
			return err
		}
		revocations, err := t.purgeRevocations(before, limit)
		deleted = tokens + revocations
		return err
	})
	return deleted, err
}

func (t *transaction) purgeRevocations(before int64, limit int) (deleted int64, err error) {
	rows, err := t.query(`DELETE FROM endings WHERE seq IN
		(SELECT seq FROM endings WHERE expires_at < $1 LIMIT $2) RETURNING `+revocationColumns,
		before, limit)
	if err != nil {
		return 0, err
	}
	deleted, sum, err := sumRevocations(rows)
	if err != nil || deleted == 0 {
		return 0, err
	}
	return deleted, t.updateChecksum(sum)
}
