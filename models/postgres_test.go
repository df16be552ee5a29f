package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/models/postgrestest"
)

func TestOpenPostgres(t *testing.T) {
	c := onPostgres(t)
	open := func(ctx context.Context, address string) error {
		s, err := OpenPostgres(ctx, address, PostgresOptions{Connections: 2, Timeout: time.Minute})
		if err == nil {
			err = errors.Join(s.RequireSchema(ctx), s.Close())
		}
		return err
	}
	database := func(t *testing.T, statements string) string {
		address, err := c.Database(t.Context(), "template1")
		if err != nil {
			t.Fatal(err)
		}
		name := postgrestest.NameIn(address)
		statements = strings.ReplaceAll(statements, "NAME", name)
		if _, err := c.SQL(t.Context(), name, statements); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Run("OK", func(t *testing.T) {
		dir := t.TempDir()
		openStore(t, dir)
		address, err := c.InPlaceOf(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := open(t.Context(), address); err != nil {
			t.Error(err)
		}
	})
	version := "CREATE TABLE goose_db_version (version_id INT); INSERT INTO goose_db_version VALUES "
	for name, test := range map[string]struct {
		statements string
		want       error
	}{
		"ErrSchema/empty":  {"SELECT 1", ErrSchema},
		"ErrSchema/older":  {version + "(5)", ErrSchema},
		"ErrNewerDatabase": {version + "(999)", ErrNewerDatabase},
		"ErrForeign":       {"CREATE TABLE things (id INT)", ErrForeign},
		"ErrWeak":          {"ALTER DATABASE NAME SET synchronous_commit = off", ErrWeak},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t.Context(), database(t, test.statements))
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	t.Run("ErrUnavailable", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := open(ctx, "postgres:///none?host="+t.TempDir()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

// TestClassifyPostgres: a fault of the database is explained and makes it unavailable; anything
// else stays as it is.
func TestClassifyPostgres(t *testing.T) {
	code := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	for want, err := range map[string]error{
		"cannot be reached":  io.ErrUnexpectedEOF,
		"in time":            context.DeadlineExceeded,
		"Check user":         code("28P01"),
		"no such database":   code("3D000"),
		"out of connections": code("53300"),
		"starting, stopping": code("57P03"),
		"other transactions": code("40001"),
		"read-only":          code("25006"),
		"lacks a permission": code("42501"),
		"reports an error":   code("55P03"),
		"already closed":     sql.ErrConnDone,
	} {
		got := (&postgres{}).classify(err)
		if !errors.Is(got, ErrUnavailable) || !errors.Is(got, err) ||
			!strings.Contains(got.Error(), want) {
			t.Errorf("%v: %v, want %q", err, got, want)
		}
	}
	for _, err := range []error{nil, ErrNotFound, errClosed, code("23505")} {
		if got := (&postgres{}).classify(err); got != err { //nolint:errorlint // the very same
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestRoleWithoutDDL: with an existing schema, a role that can only read and write rows suffices.
func TestRoleWithoutDDL(t *testing.T) {
	c := onPostgres(t)
	dir := t.TempDir()
	openStore(t, dir)
	address, err := c.InPlaceOf(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	name := postgrestest.NameIn(address)
	role := "clerk_of_" + name
	if _, err := c.SQL(t.Context(), name, strings.ReplaceAll(`CREATE ROLE clerk LOGIN;
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk`,
		"clerk", role)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenPostgres(t.Context(), strings.Replace(address, "user=postgres", "user="+role, 1),
		PostgresOptions{Connections: 2, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := errors.Join(s.RequireSchema(t.Context()), s.Migrate(t.Context()),
		s.CreateFirstKey(t.Context(), 0, sealed)); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, s, "ann@example.com")
	newToken(t, s, u.ID)
}
