// Package modelstest opens stores for tests of other packages, on the engine that is asked for.
package modelstest

import (
	"context"
	"errors"

	"latchkey/models"
	"latchkey/models/postgrestest"
)

// Open opens the store of a data directory, SQLite's or the PostgreSQL database in its place, and
// migrates it.
func Open(ctx context.Context, dir string) (*models.Store, error) {
	store, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

func open(ctx context.Context, dir string) (*models.Store, error) {
	if !postgrestest.Asked() {
		return models.Open(ctx, dir, true)
	}
	address, err := postgrestest.Running().InPlaceOf(ctx, dir)
	if err != nil {
		return nil, err
	}
	return models.OpenPostgres(ctx, address, models.PostgresOptions{Connections: 4})
}
