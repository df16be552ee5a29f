package models

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"latchkey/models/postgrestest"
)

// TestParseAddress: a connection that others could read is only made when it is asked for by name.
func TestParseAddress(t *testing.T) {
	tests := []struct {
		name, address string
		encrypted     bool   // with a certificate of the server's name
		err           string // "" for none
	}{
		{"OK/socket", "postgres:///latchkey?host=/run/postgresql", false, ""},
		{"OK/this machine", "postgres://me:secret@localhost:5433/latchkey", false, ""},
		{"OK/its address", "postgresql://me:secret@127.0.0.1,localhost:5433/latchkey", false, ""},
		{"OK/another machine", "postgres://me:secret@db.example.com/latchkey", true, ""},
		{"OK/one of several", "postgres://me:secret@localhost,db.example.com/latchkey", true, ""},
		{"OK/by name", "postgres://me:secret@db.example.com/latchkey?sslmode=disable", false, ""},
		{"OK/failover", "postgres://me:secret@a.example.com,b.example.com/l?target_session_attrs=read-write", true, ""},
		{"Err/perhaps", "postgres://me:secret@db.example.com/latchkey?sslmode=prefer", false, "allows an unencrypted"},
		{"Err/allow", "postgres://me:secret@localhost/latchkey?sslmode=allow", false, "allows an unencrypted"},
		{"Err/scheme", "mysql://me:secret@db.example.com/latchkey", false, "write postgres://"},
		{"Err/words", "host=db.example.com password=secret", false, "write postgres://"},
		{"Err/no mode", "postgres://me:secret@db.example.com/latchkey?sslmode=verify", false, "sslmode"},
		{"Err/port", "postgres://me:secret@db.example.com:x/latchkey", false, "write postgres://"},
		{"Err/control character", "postgres://me:secret@db\n.example.com/latchkey", false, "write postgres://"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config, err := parseAddress(test.address)
			if err == nil != (test.err == "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				if text := err.Error(); !errors.Is(err, ErrAddress) || !strings.Contains(text, test.err) ||
					strings.Contains(text, "secret") {
					t.Error(text)
				}
				return
			}
			all := []bool{config.TLSConfig != nil && !config.TLSConfig.InsecureSkipVerify}
			for _, other := range config.Fallbacks {
				all = append(all, other.TLSConfig != nil && !other.TLSConfig.InsecureSkipVerify &&
					other.TLSConfig.ServerName == other.Host)
			}
			for _, encrypted := range all {
				if encrypted != test.encrypted {
					t.Errorf("encrypted: %v", all)
				}
			}
			if name := (&postgres{config: config}).String(); strings.Contains(name, "secret") {
				t.Errorf("named %s", name)
			}
		})
	}
}

// onPostgres is for a test of what there is with PostgreSQL only: go test does without, make test has it.
func onPostgres(t *testing.T) *postgrestest.Cluster {
	t.Helper()
	if !postgrestest.Asked() {
		t.Skip("PostgreSQL's own")
	}
	return postgrestest.Running()
}

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

// TestLastAdministratorAtOnce: of two administrators who take away each other's rights at once, one stays.
func TestLastAdministratorAtOnce(t *testing.T) {
	for range 20 {
		s := openStore(t, t.TempDir())
		var ids []uint32
		for _, name := range []string{"a@example.com", "b@example.com"} {
			u, err := s.CreateUser(t.Context(), NewUser{Account: name, ClientType: EMail, Nickname: "Ann",
				Role: RoleAdministrator, PasswordHash: "x"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
		}
		var wait sync.WaitGroup
		failed := make([]error, 2)
		for i, id := range ids {
			wait.Go(func() {
				role := RoleUser
				_, failed[i] = s.UpdateUser(t.Context(), id, UserUpdate{Role: &role})
			})
		}
		wait.Wait()
		if (failed[0] == nil) == (failed[1] == nil) {
			t.Fatalf("%v and %v", failed[0], failed[1])
		}
	}
}

// TestNoteUseInParts: what cannot be stored of many last uses keeps no other from being stored.
func TestNoteUseInParts(t *testing.T) {
	c := onPostgres(t)
	dir := t.TempDir()
	s := openStore(t, dir)
	if err := s.CreateFirstKey(t.Context(), 0, sealed); err != nil {
		t.Fatal(err)
	}
	first, last := newUser(t, s, "ann@example.com"), newUser(t, s, "zoe@example.com")
	used := map[TokenID]int64{newToken(t, s, first.ID).ID: now(), newToken(t, s, last.ID).ID: now()}
	for n := range 1000 {
		used[TokenID{UID: first.ID, IssuedAt: now() + 1 + int64(n)}] = now() // no longer there
	}
	address, err := c.InPlaceOf(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	release, err := c.Hold(t.Context(), postgrestest.NameIn(address),
		fmt.Sprintf("SELECT 1 FROM tokens WHERE uid = %d FOR UPDATE", last.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateLastUsed(t.Context(), used); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	requireUsed := func(uid uint32, want bool) {
		t.Helper()
		tokens, err := s.Tokens(t.Context(), TokenFilter{UID: uid, Limit: 10})
		if err != nil || len(tokens) != 1 || (tokens[0].UsedAt > 0) != want {
			t.Errorf("%v, %+v", err, tokens)
		}
	}
	requireUsed(first.ID, true)
	requireUsed(last.ID, false)
	if err := errors.Join(release(), s.UpdateLastUsed(t.Context(), used)); err != nil {
		t.Error(err)
	}
	requireUsed(last.ID, true)
}
