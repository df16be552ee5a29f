package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// table is a table as a move reads it: in the order of its key.
type table struct {
	name    string
	key     []string
	columns []string
}

func words(s string) []string { return strings.Fields(s) }

// movedTables are all tables but the sequences, and the nodes, who report by themselves. What
// refers to another comes after it.
func movedTables() []table {
	return []table{
		{"users", words("id"), words(`id account account_key client_type nickname nickname_key role
			state secret_hash epoch ended_through created_at updated_at last_login_at checksum`)},
		{"tokens", words("uid issued_at serial"), words(`uid issued_at serial expires_at ends_at kind
			client_type scope label login_at key_id used_at user_agent address`)},
		{"endings", words("seq"), words(`seq uid token_order earlier_too expires_at ends_at ended_at
			reason`)},
		{"keys", words("id"), words("id created_at signs_at sealed")},
		{"scopes", words("number"), words("number name")},
		{"resets", words("uid"), words("uid issued_at serial")},
		{"attempts", words("subject"), words("subject failed_at clears_at")},
	}
}

func sequences() table { return table{"sequences", words("name"), words("name value")} }

// copyTable copies the rows that come after those that are there.
func copyTable(
	ctx context.Context, from, to *Store, t table, progress func(string, int),
) error {
	last, err := to.last(ctx, t)
	for err == nil {
		var rows [][]any
		if err = ctx.Err(); err == nil {
			rows, err = from.batch(ctx, t, last)
		}
		if err != nil || len(rows) == 0 {
			break
		}
		if err = to.insert(ctx, t, rows); err == nil {
			last = rows[len(rows)-1][:len(t.key)]
			progress(t.name, len(rows))
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", t.name, err)
	}
	return err
}

// batch reads the rows after a key, nil for the first ones. The key's columns come first.
func (s *Store) batch(ctx context.Context, t table, after []any) (rows [][]any, err error) {
	where := ""
	if after != nil {
		marks := make([]string, len(after))
		for i := range after {
			marks[i] = fmt.Sprintf("$%d", i+1)
		}
		where = " WHERE (" + strings.Join(t.key, ", ") + ") > (" + strings.Join(marks, ", ") + ")"
	}
	query := fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT %d", strings.Join(t.columns, ", "),
		t.name, where, strings.Join(t.key, ", "), moveBatch)
	err = s.all(ctx, query, after, func(scan func(...any) error) error {
		row, into := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range row {
			into[i] = &row[i]
		}
		err := scan(into...)
		rows = append(rows, row)
		return err
	})
	return rows, err
}

// last is the key of the last row, nil when there is none.
func (s *Store) last(ctx context.Context, t table) (key []any, err error) {
	query := fmt.Sprintf("SELECT %s FROM %s ORDER BY %s DESC LIMIT 1", strings.Join(t.key, ", "),
		t.name, strings.Join(t.key, " DESC, "))
	err = s.all(ctx, query, nil, func(scan func(...any) error) error {
		key = make([]any, len(t.key))
		into := make([]any, len(t.key))
		for i := range key {
			into[i] = &key[i]
		}
		return scan(into...)
	})
	return key, err
}

// insert writes rows, all or none: PostgreSQL by COPY, SQLite in one transaction.
func (s *Store) insert(ctx context.Context, t table, rows [][]any) error {
	if s.Shared() {
		conn, err := s.write.Conn(ctx)
		if err != nil {
			return s.engine.classify(err)
		}
		err = conn.Raw(func(driver any) error {
			_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{t.name}, t.columns,
				pgx.CopyFromRows(rows))
			return err
		})
		return s.engine.classify(errors.Join(err, conn.Close()))
	}
	return s.inTransaction(ctx, func(tx transaction) error {
		for part := range slices.Chunk(rows, 32_000/len(t.columns)) { // parameters of a statement
			if err := tx.insert(t, part); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t transaction) insert(into table, rows [][]any) error {
	var values []string
	var args []any
	for _, row := range rows {
		marks := make([]string, len(row))
		for i := range row {
			marks[i] = fmt.Sprintf("$%d", len(args)+i+1)
		}
		values, args = append(values, "("+strings.Join(marks, ", ")+")"), append(args, row...)
	}
	_, err := t.exec("INSERT INTO "+into.name+" ("+strings.Join(into.columns, ", ")+") VALUES "+
		strings.Join(values, ", "), args...)
	return err
}

// compareTable makes sure that both databases have the same rows, and returns their checksum.
func compareTable(ctx context.Context, from, to *Store, t table) (sum int64, err error) {
	var counts, sums [2]int64
	for i, s := range []*Store{from, to} {
		if counts[i], sums[i], err = s.sum(ctx, t); err != nil {
			return 0, err
		}
	}
	if counts[0] != counts[1] || sums[0] != sums[1] {
		return 0, fmt.Errorf("%s: %w: %d rows and %d", t.name, ErrDiffers, counts[0], counts[1])
	}
	return sums[0], nil
}

// sum counts the rows of a table and sums them up, whatever their order.
func (s *Store) sum(ctx context.Context, t table) (count, sum int64, err error) {
	var last []any
	for {
		rows, err := s.batch(ctx, t, last)
		if err != nil || len(rows) == 0 {
			return count, sum, err
		}
		for _, row := range rows {
			sum ^= sumRow(row)
		}
		count += int64(len(rows))
		last = rows[len(rows)-1][:len(t.key)]
	}
}

// sumRow is the checksum of a row whose values are integers, texts and bytes.
func sumRow(row []any) int64 {
	var text record
	for _, value := range row {
		switch value := value.(type) {
		case int64:
			text = text.number(value)
		case string:
			text = text.text(value)
		case []byte:
			text = text.text(string(value))
		}
	}
	return text.checksum()
}

func (s *Store) count(ctx context.Context, t table) (n int64, err error) {
	err = s.scan(ctx, "SELECT COUNT(*) FROM "+t.name, nil, &n)
	return n, err
}
