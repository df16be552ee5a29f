package models

import (
	"errors"
	"strings"
	"testing"

	"latchkey/models/postgrestest"
)

func TestOpenPostgres(t *testing.T) {
	c := onPostgres(t)
	open := func(address string) error {
		s, err := OpenPostgres(t.Context(), address, PostgresOptions{Connections: 2})
		if err == nil {
			err = errors.Join(s.RequireSchema(t.Context()), s.Close())
		}
		return err
	}
	fresh := func(t *testing.T, statements string) string {
		address, err := c.Database(t.Context(), "template1")
		if err != nil {
			t.Fatal(err)
		}
		name := postgrestest.NameIn(address)
		if _, err := c.SQL(t.Context(), name, strings.ReplaceAll(statements, "NAME", name)); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Run("OK", func(t *testing.T) {
		dir := t.TempDir()
		openStore(t, dir)
		address, err := c.InPlaceOf(t.Context(), dir)
		if err != nil || open(address) != nil {
			t.Errorf("%v, %v", err, open(address))
		}
	})
	version := "CREATE TABLE goose_db_version (version_id INT); INSERT INTO goose_db_version VALUES "
	for name, test := range map[string]struct {
		statements string
		want       error
	}{
		"ErrSchema/empty":     {"SELECT 1", ErrSchema},
		"ErrForeign":          {"CREATE TABLE things (id INT)", ErrForeign},
		"ErrWeak":             {"ALTER DATABASE NAME SET synchronous_commit = off", ErrWeak},
		"ErrNewerDatabase":    {version + "(999)", ErrNewerDatabase},
		"ErrSchema/older one": {version + "(5)", ErrSchema},
	} {
		t.Run(name, func(t *testing.T) {
			if err := open(fresh(t, test.statements)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	t.Run("ErrUnavailable", func(t *testing.T) {
		if err := open("postgres:///none?host=" + t.TempDir()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

// TestRoleWithoutDDL: once the tables are there, a role that may only read and write rows is enough.
func TestRoleWithoutDDL(t *testing.T) {
	c := onPostgres(t)
	dir := t.TempDir()
	openStore(t, dir)
	address, err := c.InPlaceOf(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	name := postgrestest.NameIn(address)
	if _, err := c.SQL(t.Context(), name, `CREATE ROLE clerk LOGIN;
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk`); err != nil {
		t.Fatal(err)
	}
	s, err := OpenPostgres(t.Context(), strings.Replace(address, "user=postgres", "user=clerk", 1),
		PostgresOptions{Connections: 2})
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
