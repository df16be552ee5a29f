package models

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
