//go:build bench

package models

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// userRows returns the rows of users, and of a live token of each.
func userRows(n int) (users, tokens [][]any) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$" +
		"c29tZSBzYWx0IG9mIDE2IGI$c29tZSBoYXNoIG9mIHRoaXJ0eS10d28gYnl0ZXMgISE"
	at := now()
	for id := int64(1); id <= int64(n); id++ {
		account := fmt.Sprintf("user%d@example.com", id)
		u := userRow{User: User{ID: uint32(id), Account: account, ClientType: EMail,
			Nickname: fmt.Sprintf("User %d", id), Role: RoleUser, State: Active, CreatedAt: at,
			UpdatedAt: at}, accountKey: account, passwordHash: hash}
		users = append(users, []any{id, account, account, int64(EMail), u.Nickname, fold(u.Nickname),
			int64(RoleUser), int64(Active), int64(0), hash, int64(0), int64(0), at, at, at, u.sum()})
		tokens = append(tokens, []any{id, at, int64(0), at + lifetime, at + lifetime,
			int64(LoginToken), int64(EMail), int64(UserScope), "", at, int64(1), int64(0),
			"curl/8.5.0", "192.0.2.1"})
	}
	return users, tokens
}

// BenchmarkMove compares a move of a million users and a million live tokens with PostgreSQL's COPY
// of the same rows from memory.
func BenchmarkMove(b *testing.B) {
	if !postgrestest.Asked() {
		b.Skip("needs PostgreSQL")
	}
	const users = 1_000_000
	people, tokens := userRows(users)
	copied, moved := emptyPostgres(b), emptyPostgres(b)
	tables := movedTables()
	started := time.Now()
	for i, rows := range [][][]any{people, tokens} {
		if err := copied.engine.copyRows(b.Context(), copied, tables[i], rows); err != nil {
			b.Fatal(err)
		}
	}
	alone := 2 * users / time.Since(started).Seconds()
	from := filled(b, 0)
	for i, rows := range [][][]any{people, tokens} {
		for part := range slices.Chunk(rows, 10_000) {
			if err := from.engine.copyRows(b.Context(), from, tables[i], part); err != nil {
				b.Fatal(err)
			}
		}
	}
	started = time.Now()
	if _, err := Move(b.Context(), from, moved, false, noProgress); err != nil {
		b.Fatal(err)
	}
	took := time.Since(started)
	b.ReportMetric(2*users/took.Seconds(), "rows/s")
	b.ReportMetric(alone, "rows/s-copy-alone")
	b.ReportMetric(2*users/took.Seconds()/alone, "ratio-to-copy-alone")
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(0, "ns/op")
}
