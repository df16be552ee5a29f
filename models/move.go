package models

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// The faults of a move. Each is returned wrapped.
var (
	ErrMoved    = errors.New("this database was moved: another is in its place")
	ErrMoving   = errors.New("a move to this database was not finished: run latchkey move again")
	ErrNotEmpty = errors.New("the database to move to is not empty")
	ErrNodes    = errors.New("servers have the database to move from: stop them first, " +
		"or wait until one that crashed counts no longer")
	ErrDiffers = errors.New("what was moved differs from what is there now: begin anew (--again)")
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

// MovedTable is what a move has done, or has to do.
type MovedTable struct {
	Table string
	Rows  int64 // in the table
	There int64 // of them there already when it began
	Sum   int64 // checksum of all rows, in both databases; after the move
}

const (
	moving    = "moving" // names the number of a move under way, on both sides
	movedMark = "moved"  // says that the database was left
	moveBatch = 10_000   // rows
)

// CheckMoved refuses a database that was moved elsewhere, or to which a move was not finished.
// Errors: ErrMoved, ErrMoving.
func (s *Store) CheckMoved(ctx context.Context) error {
	for name, meaning := range map[string]error{movedMark: ErrMoved, moving: ErrMoving} {
		found, err := s.exists(ctx, "SELECT 1 FROM sequences WHERE name = $1", name)
		if err == nil && found {
			err = fmt.Errorf("%s: %w", s, meaning)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PlanMove says what a move would do, and changes nothing; to is nil for a database that is yet to
// be made. Errors: ErrMoved, ErrNodes, ErrNotEmpty.
func PlanMove(ctx context.Context, from, to *Store, again bool) (plan []MovedTable, err error) {
	unfinished := to != nil && errors.Is(to.CheckMoved(ctx), ErrMoving)
	if err := from.CheckMoved(ctx); err != nil && (!unfinished || !errors.Is(err, ErrMoved)) {
		return nil, err
	}
	if nodes, err := from.Nodes(ctx); err != nil || len(nodes) > 0 {
		return nil, cmp.Or(err, fmt.Errorf("%s: %w", from, ErrNodes))
	}
	for _, t := range movedTables() {
		m := MovedTable{Table: t.name}
		if m.Rows, err = from.count(ctx, t); err != nil {
			return nil, err
		}
		if to != nil {
			if m.There, err = to.count(ctx, t); err != nil {
				return nil, err
			}
		}
		if m.There > 0 && !unfinished {
			return nil, fmt.Errorf("%s: %w", to, ErrNotEmpty)
		}
		if again {
			m.There = 0
		}
		plan = append(plan, m)
	}
	return plan, nil
}

// Move copies everything from one database to another and leaves the first marked as moved. Nobody
// else writes to the first meanwhile, or afterwards. What was cut short goes on where it stopped,
// or anew. It calls progress for each batch of rows. Errors: those of PlanMove, and
// ErrDiffers.
func Move(
	ctx context.Context, from, to *Store, again bool, progress func(table string, rows int),
) ([]MovedTable, error) {
	plan, err := PlanMove(ctx, from, to, again)
	if err != nil {
		return nil, err
	}
	tx, err := from.freeze(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // committed, or to be undone
	if err := to.beginMove(ctx, again); err != nil {
		return nil, err
	}
	for i, t := range movedTables() {
		if err := copyTable(ctx, from, to, t, progress); err != nil {
			return nil, err
		}
		if plan[i].Sum, err = compareTable(ctx, from, to, t); err != nil {
			return nil, err
		}
	}
	if _, err := tx.ExecContext(ctx, from.engine.rebind(`INSERT INTO sequences (name, value)
		VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`), movedMark, now()); err != nil {
		return nil, from.engine.classify(err)
	}
	if err := tx.Commit(); err != nil { // first: never may both be served
		return nil, from.engine.classify(err)
	}
	return plan, to.endMove(ctx, from)
}

// freeze begins a transaction that lets nobody else write, however long it lasts.
func (s *Store) freeze(ctx context.Context) (*sql.Tx, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil || !s.Shared() {
		return tx, s.engine.classify(err) // SQLite has one writer
	}
	tables := []string{sequences().name}
	for _, t := range movedTables() {
		tables = append(tables, t.name)
	}
	//nolint:gosec // our own tables
	lock := "LOCK TABLE " + strings.Join(tables, ", ") + " IN EXCLUSIVE MODE"
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return nil, errors.Join(s.engine.classify(err), tx.Rollback())
	}
	return tx, nil
}

func (s *Store) count(ctx context.Context, t table) (n int64, err error) {
	err = s.scan(ctx, "SELECT COUNT(*) FROM "+t.name, nil, &n)
	return n, err
}

// beginMove notes that a move to the database is under way; anew, it empties what was moved before.
func (s *Store) beginMove(ctx context.Context, again bool) error {
	return s.inTransaction(ctx, func(t transaction) error {
		if again {
			for _, table := range slices.Backward(movedTables()) {
				if _, err := t.exec("DELETE FROM " + table.name); err != nil {
					return err
				}
			}
		}
		_, err := t.exec(`INSERT INTO sequences (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, moving, now())
		return err
	})
}

// endMove takes over the numbers that come next, and thereby ends the move.
func (s *Store) endMove(ctx context.Context, from *Store) error {
	rows, err := from.batch(ctx, sequences(), nil)
	if err != nil {
		return err
	}
	return s.inTransaction(ctx, func(t transaction) error {
		if _, err := t.exec("DELETE FROM sequences"); err != nil {
			return err
		}
		for _, row := range rows {
			if row[0] == movedMark {
				continue
			}
			_, err := t.exec("INSERT INTO sequences (name, value) VALUES ($1, $2)", row...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

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
