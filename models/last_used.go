package models

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UpdateLastUsed stores when tokens were last used, in Unix seconds. After an error call it again
// with the same tokens; those already stored do no harm.
func (s *Store) UpdateLastUsed(ctx context.Context, used map[TokenID]int64) error {
	const maxBatch = 1000 // tokens of a transaction
	// All processes lock the rows in the same order, so that no two wait for each other.
	sorted := slices.SortedFunc(maps.Keys(used), TokenID.compare)
	for ids := range slices.Chunk(sorted, maxBatch) {
		err := s.inTransaction(ctx, func(t *transaction) error { return t.updateLastUsed(ids, used) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) updateLastUsed(ids []TokenID, used map[TokenID]int64) error {
	rows, args := make([]string, len(ids)), make([]any, 0, 4*len(ids))
	for i, id := range ids {
		n := len(args)
		rows[i] = fmt.Sprintf("(CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), "+
			"CAST($%d AS BIGINT))", n+1, n+2, n+3, n+4) // PostgreSQL would take them for text
		args = append(args, id.UID, id.IssuedAt, id.Serial, used[id])
	}
	_, err := t.exec("WITH seen (uid, issued_at, serial, at) AS (VALUES "+strings.Join(rows, ", ")+`)
		UPDATE tokens SET used_at = seen.at FROM seen WHERE tokens.uid = seen.uid
		AND tokens.issued_at = seen.issued_at AND tokens.serial = seen.serial
		AND tokens.used_at < seen.at`, args...)
	return err
}
