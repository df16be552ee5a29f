//go:build bench

package models

import (
	"fmt"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// manyRows is what BenchmarkMove moves: so many users, and a live token of each.
func manyRows(users int) (people, tokens [][]any) {
	at := now()
	for n := range users {
		id := int64(n + 1)
		u := userRow{User: User{ID: uint32(id), Account: fmt.Sprintf("user%d@example.com", n), ClientType: EMail,
			Nickname: fmt.Sprintf("User %d", n), Role: RoleUser, State: Active, CreatedAt: at, UpdatedAt: at},
			accountKey: fmt.Sprintf("user%d@example.com", n), passwordHash: "$argon2id$v=19$m=19456,t=2,p=1$" +
				"c29tZSBzYWx0IG9mIDE2IGI$c29tZSBoYXNoIG9mIHRoaXJ0eS10d28gYnl0ZXMgISE"}
		people = append(people, []any{id, u.Account, u.accountKey, int64(EMail), u.Nickname, fold(u.Nickname),
			int64(RoleUser), int64(Active), u.passwordHash, int64(0), int64(0), at, at, at, u.sum()})
		tokens = append(tokens, []any{id, at, int64(0), at + 7200, at + 7200, int64(LoginToken), int64(EMail),
			int64(UserScope), "", at, int64(1), int64(0), "curl/8.5.0", "192.0.2.1"})
	}
	return people, tokens
}

// BenchmarkMove compares a move of a million users and a million live tokens with PostgreSQL's COPY of the same rows
// from memory.
func BenchmarkMove(b *testing.B) {
	if !postgrestest.Asked() {
		b.Skip("needs PostgreSQL")
	}
	const users = 1_000_000
	people, tokens := manyRows(users)
	copied, moved := emptyPostgres(b), emptyPostgres(b)
	tables := movedTables()
	began := time.Now()
	for i, rows := range [][][]any{people, tokens} {
		if err := copied.engine.copyRows(b.Context(), copied, tables[i], rows); err != nil {
			b.Fatal(err)
		}
	}
	alone := 2 * users / time.Since(began).Seconds()
	from := filled(b, 0)
	for i, rows := range [][][]any{people, tokens} {
		for len(rows) > 0 {
			part := rows[:min(len(rows), 10_000)]
			if err := from.engine.copyRows(b.Context(), from, tables[i], part); err != nil {
				b.Fatal(err)
			}
			rows = rows[len(part):]
		}
	}
	began = time.Now()
	if _, err := Move(b.Context(), from, moved, false, func(string, int) {}); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	b.ReportMetric(2*users/took.Seconds(), "rows/s")
	b.ReportMetric(alone, "rows/s-copy-alone")
	b.ReportMetric(2*users/took.Seconds()/alone, "ratio-to-copy-alone")
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(0, "ns/op")
}
