package models

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UpdateLastUsed remembers when tokens were last used. What it could not store, all or a part, it stores
// when it is called again.
func (s *Store) UpdateLastUsed(ctx context.Context, used map[TokenID]int64) error {
	const most = 1000 // tokens a transaction
	for ids := range slices.Chunk(slices.SortedFunc(maps.Keys(used), TokenID.compare), most) {
		err := s.inTransaction(ctx, func(t transaction) error { return t.updateLastUsed(ids, used) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (t transaction) updateLastUsed(ids []TokenID, used map[TokenID]int64) error {
	var rows strings.Builder
	args := make([]any, 0, 4*len(ids))
	for i, id := range ids {
		if i > 0 {
			rows.WriteString(", ")
		}
		n := len(args)
		fmt.Fprintf(&rows, "(CAST($%d AS BIGINT), CAST($%d AS BIGINT), CAST($%d AS BIGINT), "+
			"CAST($%d AS BIGINT))", n+1, n+2, n+3, n+4)
		args = append(args, id.UID, id.IssuedAt, id.Serial, used[id])
	}
	_, err := t.exec("WITH seen (uid, issued_at, serial, at) AS (VALUES "+rows.String()+`)
		UPDATE tokens SET used_at = seen.at FROM seen WHERE tokens.uid = seen.uid
		AND tokens.issued_at = seen.issued_at AND tokens.serial = seen.serial
		AND tokens.used_at < seen.at`, args...)
	return err
}
