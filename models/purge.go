package models

import "context"

// Purge forgets tokens and endings that expired before the given Unix second, at most limit of
// each, and returns how many rows went. It is called again until it returns 0.
func (s *Store) Purge(ctx context.Context, before int64, limit int) (int64, error) {
	var gone int64
	err := s.inTransaction(ctx, func(t transaction) error {
		tokens, err := t.exec(`DELETE FROM tokens WHERE (uid, issued_at, serial) IN
			(SELECT uid, issued_at, serial FROM tokens WHERE expires_at < $1 LIMIT $2)`, before, limit)
		if err != nil {
			return err
		}
		endings, err := t.purgeRevocations(before, limit)
		gone = tokens + endings
		return err
	})
	return gone, err
}

func (t transaction) purgeRevocations(before int64, limit int) (gone int64, err error) {
	rows, err := t.query(`DELETE FROM endings WHERE seq IN
		(SELECT seq FROM endings WHERE expires_at < $1 LIMIT $2) RETURNING `+revocationColumns,
		before, limit)
	if err != nil {
		return 0, err
	}
	gone, sum, err := sumRevocations(rows)
	if err != nil || gone == 0 {
		return 0, err
	}
	return gone, t.updateChecksum(sum)
}
