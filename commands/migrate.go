//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
)

// migrateCmd is latchkey migrate.
type migrateCmd struct {
	storeFlags `group:"config"`
}

// Validate checks the flags before anything is opened.
func (m *migrateCmd) Validate() error {
	if m.Database == "" {
		return errors.New("--database is missing: serve updates SQLite at each start")
	}
	return m.storeFlags.Validate()
}

// Run creates the tables of a PostgreSQL database, or updates them to this program's version. It
// needs no master key. Its database role is the only one that must be allowed to change tables.
func (m *migrateCmd) Run(ctx context.Context, std Console) error {
	store, err := m.openStore(ctx, false)
	if err != nil {
		return err
	}
	if err := errors.Join(store.Migrate(ctx), store.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s is up to date\n", store)
	return err
}
