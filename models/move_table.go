package models

import (
	"context"
	"fmt"
	"strings"
)

// table is a table as a move reads it: in the order of its key, whose columns come first.
type table struct {
	name    string
	key     []string
	columns []string
}

// movedTables lists the tables that a move copies, each after the tables that it refers to.
// sequences comes last: see finishMove. The rows of nodes are not moved: each node registers.
func movedTables() []table {
	words := strings.Fields
	return []table{
		{"users", words("id"), words(`id account account_key client_type nickname nickname_key role
			state pending secret_hash epoch ended_through created_at updated_at last_login_at checksum`)},
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

func sequencesTable() table {
	return table{"sequences", []string{"name"}, []string{"name", "value"}}
}

// copyTable copies the rows after the last one that the database to move to has.
func copyTable(
	ctx context.Context, from, to *Store, t table, progress func(string, int),
) error {
	last, err := to.lastKey(ctx, t)
	for err == nil {
		var rows [][]any
		if err = ctx.Err(); err == nil {
			rows, err = from.batch(ctx, t, last)
		}
		if err != nil || len(rows) == 0 {
			break
		}
		if err = to.engine.copyRows(ctx, to, t, rows); err == nil {
			last = rows[len(rows)-1][:len(t.key)]
			progress(t.name, len(rows))
		}
	}
	if err != nil {
		err = fmt.Errorf("the move stopped at table %s, run it again to continue: %w", t.name, err)
	}
	return err
}

// compareTable checks that both databases have the same rows, and returns their checksum. Errors:
// ErrDiffers.
func compareTable(ctx context.Context, from, to *Store, t table) (sum int64, err error) {
	rows, sum, err := from.sum(ctx, t)
	if err != nil {
		return 0, err
	}
	copied, copiedSum, err := to.sum(ctx, t)
	if err == nil && (rows != copied || sum != copiedSum) {
		err = fmt.Errorf("%s: %w: it has %d rows, the copy %d", t.name, ErrDiffers, rows, copied)
	}
	return sum, err
}

func (s *Store) count(ctx context.Context, t table) (n int64, err error) {
	err = s.scan(ctx, "SELECT COUNT(*) FROM "+t.name, nil, &n)
	return n, err
}

// lastKey returns the key of the last row, nil if there is no row.
func (s *Store) lastKey(ctx context.Context, t table) (key []any, err error) {
	query := fmt.Sprintf("SELECT %s FROM %s ORDER BY %s DESC LIMIT 1", strings.Join(t.key, ", "),
		t.name, strings.Join(t.key, " DESC, "))
	err = s.all(ctx, query, nil, func(scan scanFunc) (err error) {
		key, err = scanValues(scan, len(t.key))
		return err
	})
	return key, err
}

// batch reads up to maxBatch rows after a key, nil for the first rows.
func (s *Store) batch(ctx context.Context, t table, after []any) (rows [][]any, err error) {
	const maxBatch = 10_000
	where := ""
	if after != nil {
		where = " WHERE (" + strings.Join(t.key, ", ") + ") > " + placeholders(0, len(after))
	}
	query := fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT %d", strings.Join(t.columns, ", "),
		t.name, where, strings.Join(t.key, ", "), maxBatch)
	err = s.all(ctx, query, after, func(scan scanFunc) error {
		row, err := scanValues(scan, len(t.columns))
		rows = append(rows, row)
		return err
	})
	return rows, err
}

// scanValues reads a row of n columns of any type.
func scanValues(scan scanFunc, n int) ([]any, error) {
	values, dest := make([]any, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	return values, scan(dest...)
}

// insertRows inserts rows in one statement.
func (t *transaction) insertRows(into table, rows [][]any) error {
	values := make([]string, 0, len(rows))
	args := make([]any, 0, len(rows)*len(into.columns))
	for _, row := range rows {
		values, args = append(values, placeholders(len(args), len(row))), append(args, row...)
	}
	_, err := t.exec("INSERT INTO "+into.name+" ("+strings.Join(into.columns, ", ")+") VALUES "+
		strings.Join(values, ", "), args...)
	return err
}

// sum returns the number of rows and their checksum, which does not depend on their order.
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

// sumRow returns the checksum of a row of integers, text and bytes.
func sumRow(row []any) int64 {
	var input hashInput
	for _, value := range row {
		switch value := value.(type) {
		case int64:
			input = input.number(value)
		case string:
			input = input.text(value)
		case []byte:
			input = input.text(string(value))
		}
	}
	return input.checksum()
}
