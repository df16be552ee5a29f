package models

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// onSQLite is for a test of what there is with SQLite only.
func onSQLite(t *testing.T) {
	t.Helper()
	if postgrestest.Asked() {
		t.Skip("SQLite's own")
	}
}

// openStore is a new store, or the one that a data directory has.
func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	var s *Store
	var err error
	if !postgrestest.Asked() {
		s, err = Open(context.Background(), dir, true)
	} else {
		var address string
		if address, err = postgrestest.Running().InPlaceOf(context.Background(), dir); err == nil {
			s, err = OpenPostgres(context.Background(), address, PostgresOptions{Connections: 4})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// firstKey is the id of the key that signs tokens in these tests.
const firstKey = 1

func signed(Token) (int64, error) { return firstKey, nil }

func sealed(int64, int64) ([]byte, error) { return []byte("sealed"), nil }

// storeWithKey is a new store with its first key.
func storeWithKey(t testing.TB) *Store {
	t.Helper()
	s := openStore(t, t.TempDir())
	if err := s.CreateFirstKey(context.Background(), 0, sealed); err != nil {
		t.Fatal(err)
	}
	return s
}

func newUser(t testing.TB, s *Store, account string) User {
	t.Helper()
	u, err := s.CreateUser(context.Background(), NewUser{Account: account, ClientType: TypeOf(account),
		Nickname: "Ann", Role: RoleUser, PasswordHash: "hash"})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newToken(t testing.TB, s *Store, uid uint32) Token {
	t.Helper()
	k, _, err := s.CreateToken(context.Background(), NewToken{UID: uid, Kind: LoginToken,
		ClientType: EMail, Scope: UserScope, Lifetime: 60}, signed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// onPostgres is for a test of what there is with PostgreSQL only: go test does without, make test has it.
func onPostgres(t *testing.T) *postgrestest.Cluster {
	t.Helper()
	if !postgrestest.Asked() {
		t.Skip("PostgreSQL's own")
	}
	return postgrestest.Running()
}
