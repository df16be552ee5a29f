package commands

import (
	"context"
	"errors"
	"fmt"
)

// migrateCmd is latchkey migrate.
type migrateCmd struct{}

// Run makes the tables of a PostgreSQL database, or brings them up to this program's. It needs no
// secret, and its role is the only one that may change tables.
func (migrateCmd) Run(ctx context.Context, c *cli, std Console) error {
	if c.Database == "" {
		return errors.New("--database is missing: SQLite is brought up to date at each start")
	}
	store, err := c.openStore(ctx, false)
	if err != nil {
		return err
	}
	if err := errors.Join(store.Migrate(ctx), store.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s is up to date\n", store)
	return err
}
