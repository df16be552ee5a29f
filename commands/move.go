//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"latchkey/models"
)

// moveCmd is latchkey move.
type moveCmd struct {
	From   string `required:"" placeholder:"DIR|URL" help:"Data directory, or postgres://…, to move from."`
	To     string `required:"" placeholder:"DIR|URL" help:"The other kind: empty, or left by an interrupted move."`
	DryRun bool   `help:"Look at both sides and print what would be moved."`
	Again  bool   `help:"Delete what an interrupted move left in the target, and start over."`
	JSON   bool   `name:"json" help:"Print JSON, one object for each table."`

	DatabaseConnections int `default:"10" placeholder:"N" group:"config" help:"Maximum of connections to PostgreSQL."`
}

// Validate checks the flags before anything is opened.
func (m *moveCmd) Validate() error {
	if strings.Contains(m.From, "://") == strings.Contains(m.To, "://") {
		return errors.New("one of --from and --to is a data directory, the other a postgres:// URL")
	}
	from, to := m.side(m.From), m.side(m.To)
	if err := from.Validate(); err != nil {
		return err
	}
	return to.Validate()
}

func (m *moveCmd) side(where string) storeFlags {
	side := storeFlags{Data: where, DatabaseConnections: m.DatabaseConnections}
	if strings.Contains(where, "://") {
		side.Data, side.Database = ".", where // only a server has a master key beside its database
	}
	return side
}

// Run moves everything, and prints what and how fast.
func (m *moveCmd) Run(ctx context.Context, std Console) (err error) {
	from, err := m.open(ctx, m.From, false)
	if errors.Is(err, models.ErrNoDatabase) {
		err = fmt.Errorf("%w: check --from", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := m.open(ctx, m.To, !m.DryRun)
	if m.DryRun && errors.Is(err, models.ErrNoDatabase) {
		to, err = nil, nil // the move would create it
	}
	if err != nil {
		return err
	}
	if to != nil {
		defer func() { err = errors.Join(err, to.Close()) }()
	}
	plan, err := models.PlanMove(ctx, from, to, m.Again)
	if err != nil {
		return err
	}
	if m.DryRun {
		return m.print(std.Out, plan)
	}
	return m.move(ctx, std, from, to, plan)
}

func (m *moveCmd) move(
	ctx context.Context, std Console, from, to *models.Store, plan []models.MovedTable,
) error {
	progress := newProgress(plan, std.Err)
	began := time.Now()
	moved, err := models.Move(ctx, from, to, m.Again, progress.add)
	if err != nil {
		return errors.Join(err, progress.bar.Exit())
	}
	if err := errors.Join(progress.bar.Finish(), m.print(std.Out, moved)); err != nil || m.JSON {
		return err
	}
	took := time.Since(began)
	_, err = fmt.Fprintf(std.Out,
		"moved %d rows to %s in %s (%.0f a second); the master key stays the same\n", progress.count,
		to, took.Round(time.Millisecond), float64(progress.count)/took.Seconds())
	return err
}

// open opens one side of a move, with its schema up to date.
func (m *moveCmd) open(ctx context.Context, where string, create bool) (*models.Store, error) {
	side := m.side(where)
	if create && side.Database == "" {
		if err := os.MkdirAll(where, 0o700); err != nil {
			return nil, err
		}
	}
	store, err := side.openStore(ctx, create)
	if err != nil {
		return nil, err
	}
	prepare := store.Migrate
	if store.Shared() {
		prepare = store.RequireSchema
	}
	if err := prepare(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// print prints a line for each table: before the move what would be moved, after it the checksums.
func (m *moveCmd) print(w io.Writer, tables []models.MovedTable) error {
	var rows table
	for _, t := range tables {
		if m.JSON {
			if err := printJSON(w, map[string]any{"table": t.Table, "rows": t.Rows, "present": t.Copied,
				"checksum": fmt.Sprintf("%016x", uint64(t.Sum)), "moved": !m.DryRun}); err != nil {
				return err
			}
			continue
		}
		note := fmt.Sprintf("%d there already", t.Copied)
		if !m.DryRun {
			note = fmt.Sprintf("checksum %016x on both sides", uint64(t.Sum))
		}
		rows.add(t.Table, fmt.Sprintf("%d rows", t.Rows), note)
	}
	return rows.print(w)
}

// progress shows how far a move has come.
type progress struct {
	bar   *progressbar.ProgressBar
	count int64
}

func newProgress(plan []models.MovedTable, w io.Writer) *progress {
	rows := int64(0)
	for _, t := range plan {
		rows += t.Rows - t.Copied
	}
	return &progress{bar: progressbar.NewOptions64(rows, progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("rows"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))}
}

// add counts rows of a table that were moved.
func (p *progress) add(table string, rows int) {
	p.count += int64(rows)
	p.bar.Describe(table)
	_ = p.bar.Add(rows) // a failure affects the display only
}
