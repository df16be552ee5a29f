package models

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema up to date, each step whole or not at all. Several processes can call
// it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if behind, err := s.checkVersion(ctx); err != nil || !behind {
		return err
	}
	if s.traits.lockMigrations != "" {
		lock, err := s.begin(ctx, s.traits.lockMigrations)
		if err != nil {
			return fmt.Errorf("%s: the schema cannot be updated: %w", s, err)
		}
		defer lock.Rollback() //nolint:errcheck // it holds only the lock
	}
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("%s: the schema cannot be updated: %w", s, s.engine.classify(err))
	}
	return nil
}

// RequireSchema refuses a database whose schema is not up to date. Errors: ErrSchema,
// ErrNewerDatabase.
func (s *Store) RequireSchema(ctx context.Context) error {
	behind, err := s.checkVersion(ctx)
	if err == nil && behind {
		err = fmt.Errorf("%s: %w", s, ErrSchema)
	}
	return err
}

// checkVersion reports whether the database lacks a migration. Errors: ErrNewerDatabase if it has
// one that this program lacks.
func (s *Store) checkVersion(ctx context.Context) (behind bool, err error) {
	has, err := s.hasTable(ctx, goose.DefaultTablename)
	if err != nil || !has {
		return true, err
	}
	var version int64
	err = s.write.QueryRowContext(ctx,
		"SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename).Scan(&version)
	if err != nil {
		return false, s.engine.classify(err)
	}
	provider, err := s.migrator()
	if err != nil {
		return false, err
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	if version > newest {
		return false, fmt.Errorf("%s: %w: its schema is %d, this program knows %d. "+
			"Install the newer version", s, ErrNewerDatabase, version, newest)
	}
	return version < newest, nil
}

func (s *Store) hasTable(ctx context.Context, name string) (bool, error) {
	var n int
	err := s.write.QueryRowContext(ctx, s.engine.rebind(s.traits.countTables), name).Scan(&n)
	return n > 0, s.engine.classify(err)
}

func (s *Store) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.traits.dialect, s.write, files,
		goose.WithGoMigrations(s.addChecksums()), goose.WithSlog(slog.New(slog.DiscardHandler)))
}

// addChecksums is the migration that gives each user, and all revocations together, a checksum.
func (s *Store) addChecksums() *goose.Migration {
	return goose.NewGoMigration(5, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		t := &transaction{ctx: ctx, tx: tx, store: s}
		_, err := t.exec("ALTER TABLE users ADD COLUMN checksum BIGINT NOT NULL DEFAULT 0")
		if err != nil {
			return err
		}
		users, err := t.userRows(strings.Replace(userColumns, "state + pending", "state", 1))
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
