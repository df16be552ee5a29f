// Package modelstest opens stores for the tests of other packages, on SQLite or PostgreSQL.
package modelstest

import (
	"context"
	"errors"
	"time"

	"latchkey/models"
	"latchkey/models/postgrestest"
)

// Open opens and migrates the store of a data directory: its SQLite database, or the PostgreSQL
// database that takes its place if postgrestest.Asked.
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
	return models.OpenPostgres(ctx, address,
		models.PostgresOptions{Connections: 4, Timeout: time.Minute}) // also on a busy machine
}
