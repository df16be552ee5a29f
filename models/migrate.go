package models

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// checkVersion refuses a database whose newest migration this program does not have, and says
// whether there are migrations that it lacks.
func (s *Store) checkVersion(ctx context.Context) (behind bool, err error) {
	has, err := s.hasTable(ctx, goose.DefaultTablename)
	if err != nil || !has {
		return true, err
	}
	var version int64
	err = s.write.QueryRowContext(ctx,
		"SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename).Scan(&version)
	if err != nil {
		return false, err
	}
	provider, err := s.migrator()
	if err != nil {
		return false, err
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	if version > newest {
		return false, fmt.Errorf("%w: %s has schema %d, this program knows %d",
			ErrNewerDatabase, s, version, newest)
	}
	return version < newest, nil
}

func (s *Store) hasTable(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.write.QueryRowContext(ctx, s.engine.rebind(s.engine.hasTable()), name).Scan(&n)
	return n > 0, err
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.engine.dialect(), s.write, files,
		goose.WithGoMigrations(addChecksums(s.engine)), goose.WithSlog(slog.New(slog.DiscardHandler)))
}

// Migrate brings the schema up to this program's, each step whole or not at all. Several processes
// may do so at once.
func (s *Store) Migrate(ctx context.Context) error {
	if behind, err := s.checkVersion(ctx); err != nil || !behind {
		return err
	}
	if p, ok := s.engine.(*postgres); ok {
		unlock, err := p.lockMigration(ctx, s.write)
		if err != nil {
			return fmt.Errorf("migrate %s: %w", s, err)
		}
		defer unlock() //nolint:errcheck // it held no change
	}
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", s, s.engine.classify(err))
	}
	return nil
}

// addChecksums is the migration that gives every user, and all endings, a checksum.
func addChecksums(e engine) *goose.Migration {
	return goose.NewGoMigration(5, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		t := transaction{ctx, tx, e, &effects{}}
		_, err := t.exec("ALTER TABLE users ADD COLUMN checksum BIGINT NOT NULL DEFAULT 0")
		if err != nil {
			return err
		}
		users, err := t.userRows()
		if err != nil {
			return err
		}
		for _, row := range users {
			_, err := t.exec("UPDATE users SET checksum = $1 WHERE id = $2", row.sum(), row.ID)
			if err != nil {
				return err
			}
		}
		checksum, err := t.revocationsChecksum()
		if err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO sequences (name, value)
			VALUES ('endings checksum', $1), ('change', 0)`, checksum)
		return err
	}}, nil)
}

// RequireSchema refuses a database that was not migrated to this program's schema. Errors:
// ErrSchema, ErrNewerDatabase.
func (s *Store) RequireSchema(ctx context.Context) error {
	behind, err := s.checkVersion(ctx)
	if err == nil && behind {
		err = fmt.Errorf("%s: %w", s, ErrSchema)
	}
	return err
}
