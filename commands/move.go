package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"latchkey/models"
)

// moveCmd is latchkey move.
type moveCmd struct {
	From   string `required:"" placeholder:"DIR|URL" help:"Data directory, or postgres://…."`
	To     string `required:"" placeholder:"DIR|URL" help:"The same: empty, or of a move cut short."`
	DryRun bool   `help:"Look at both, and say what would be moved."`
	Again  bool   `help:"Empty what a move cut short has left, and begin anew."`
}

// Run moves everything, and says what and how fast.
func (m *moveCmd) Run(ctx context.Context, c *cli, std Console) (err error) {
	if strings.Contains(m.From, "://") == strings.Contains(m.To, "://") {
		return errors.New("one of --from and --to is a data directory, the other a postgres:// URL")
	}
	from, err := c.openSide(ctx, m.From, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := c.openSide(ctx, m.To, !m.DryRun)
	if m.DryRun && errors.Is(err, models.ErrNoDatabase) {
		to, err = nil, nil // it would be made
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
		return printMove(std.Out, plan, false)
	}
	progress := newProgress(plan, std.Err)
	began := time.Now()
	done, err := models.Move(ctx, from, to, m.Again, progress.add)
	if err != nil {
		return errors.Join(err, progress.bar.Exit())
	}
	if err := errors.Join(progress.bar.Finish(), printMove(std.Out, done, true)); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(std.Out, "moved %d rows in %s (%.0f a second); the secret is needed as before\n",
		progress.count, took.Round(time.Millisecond), float64(progress.count)/took.Seconds())
	return nil
}

// openSide opens one side of a move, with its schema up to date.
func (c *cli) openSide(ctx context.Context, where string, create bool) (*models.Store, error) {
	side := *c
	side.Data, side.Database = where, ""
	if strings.Contains(where, "://") {
		side.Data, side.Database = "", where
	} else if create {
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

// printMove prints a line for each table.
func printMove(w io.Writer, tables []models.MovedTable, done bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range tables {
		if done {
			fmt.Fprintf(table, "%s\t%d rows\tchecksum %016x on both sides\n", t.Table, t.Rows,
				uint64(t.Sum))
			continue
		}
		fmt.Fprintf(table, "%s\t%d rows\t%d there already\n", t.Table, t.Rows, t.There)
	}
	return table.Flush()
}

// progress shows how far a move has come.
type progress struct {
	bar   *progressbar.ProgressBar
	count int64
}

func newProgress(plan []models.MovedTable, w io.Writer) *progress {
	rows := int64(0)
	for _, t := range plan {
		rows += t.Rows - t.There
	}
	return &progress{bar: progressbar.NewOptions64(rows, progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("rows"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))}
}

// add notes rows of a table that were moved.
func (p *progress) add(table string, rows int) {
	p.count += int64(rows)
	p.bar.Describe(table)
	_ = p.bar.Add(rows) // no more than a picture
}
