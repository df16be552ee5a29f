package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// MovedTable says how far a table has been moved.
type MovedTable struct {
	Table  string
	Rows   int64 // in the database to move from
	Copied int64 // in the database to move to, when the move started
	Sum    int64 // checksum of all rows, equal in both databases; 0 before the move
}

// CheckMoved refuses a database that was moved elsewhere, and one that a move has not filled yet.
// Errors: ErrMoved, ErrMoving.
func (s *Store) CheckMoved(ctx context.Context) error {
	for name, meaning := range map[string]error{movedAway: ErrMoved, moveStarted: ErrMoving} {
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

// checkMoved refuses to write to a database that was moved while it was open. A shared one cannot
// be: PlanMove refuses it while nodes are registered.
func (t *transaction) checkMoved() error {
	if t.store.traits.shared {
		return nil
	}
	var one int
	err := t.scan("SELECT 1 FROM sequences WHERE name = $1", []any{movedAway}, &one)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return cmp.Or(err, fmt.Errorf("%w: %s: %w", ErrUnavailable, t.store, ErrMoved))
}

// PlanMove returns what Move would do, and changes nothing. to is nil if the database to move to
// does not exist yet. restart ignores the rows that an unfinished move has copied. Errors:
// ErrMoved, ErrNodes, ErrNotEmpty.
func PlanMove(ctx context.Context, from, to *Store, restart bool) (plan []MovedTable, err error) {
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
			if m.Copied, err = to.count(ctx, t); err != nil {
				return nil, err
			}
		}
		if m.Copied > 0 && !unfinished {
			return nil, fmt.Errorf("%s: %w", to, ErrNotEmpty)
		}
		if restart {
			m.Copied = 0
		}
		plan = append(plan, m)
	}
	return plan, nil
}

// Move copies all rows from one database to another and marks the first one as moved. Nothing else
// can write to the first one during the move or afterwards. A move that was interrupted continues
// where it stopped, or starts again with restart. Move calls progress for each batch of rows.
// Errors: those of PlanMove, and ErrDiffers.
func Move(
	ctx context.Context, from, to *Store, restart bool, progress func(table string, rows int),
) ([]MovedTable, error) {
	plan, err := PlanMove(ctx, from, to, restart)
	if err != nil {
		return nil, err
	}
	tx, err := from.begin(ctx, from.traits.lockTables)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after the commit
	if err := to.startMove(ctx, restart); err != nil {
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
		VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`), movedAway, now()); err != nil {
		return nil, from.engine.classify(err)
	}
	// The first database is given up before the second can be used: both are never in use.
	if err := tx.Commit(); err != nil {
		return nil, from.engine.classify(err)
	}
	return plan, to.finishMove(ctx, from)
}

// startMove marks the database as one that a move has not filled yet. With restart it deletes the
// rows that were copied before.
func (s *Store) startMove(ctx context.Context, restart bool) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		if restart {
			for _, table := range slices.Backward(movedTables()) {
				if _, err := t.exec("DELETE FROM " + table.name); err != nil {
					return err
				}
			}
		}
		_, err := t.exec(`INSERT INTO sequences (name, value) VALUES ($1, $2)
			ON CONFLICT (name) DO NOTHING`, moveStarted, now())
		return err
	})
}

// finishMove copies the sequences, which completes the move.
func (s *Store) finishMove(ctx context.Context, from *Store) error {
	rows, err := from.batch(ctx, sequencesTable(), nil)
	if err != nil {
		return err
	}
	return s.inTransaction(ctx, func(t *transaction) error {
		if _, err := t.exec("DELETE FROM sequences"); err != nil {
			return err
		}
		for _, row := range rows {
			if row[0] == movedAway {
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
