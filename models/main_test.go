package models

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// onSQLite skips a test of something that only SQLite has.
func onSQLite(t *testing.T) {
	t.Helper()
	if postgrestest.Asked() {
		t.Skip("only for SQLite")
	}
}

// onPostgres skips a test of something that only PostgreSQL has. "go test" uses SQLite; "make test"
// runs the tests with both.
func onPostgres(t *testing.T) *postgrestest.Cluster {
	t.Helper()
	if !postgrestest.Asked() {
		t.Skip("only for PostgreSQL")
	}
	return postgrestest.Running()
}

// openStore opens and migrates the store of a data directory, and creates it if none exists.
func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	var s *Store
	var err error
	if !postgrestest.Asked() {
		s, err = Open(context.Background(), dir, true)
	} else {
		var address string
		if address, err = postgrestest.Running().InPlaceOf(context.Background(), dir); err == nil {
			s, err = OpenPostgres(context.Background(), address,
				PostgresOptions{Connections: 4, Timeout: time.Minute})
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

// lifetime is that of the tokens of these tests, in seconds: longer than any test takes.
const lifetime = 24 * 3600

// firstKey is the id of the key that signs the tokens of these tests.
const firstKey = 1

func signed(Token) (int64, error) { return firstKey, nil }

func sealed(int64, int64) ([]byte, error) { return []byte("sealed"), nil }

// storeWithKey opens a new store with its first signing key.
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
	u, err := s.CreateUser(context.Background(), NewUser{Account: account,
		ClientType: TypeOf(account), Nickname: "Ann", Role: RoleUser, PasswordHash: "hash"})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newToken(t testing.TB, s *Store, uid uint32) Token {
	t.Helper()
	token, _, err := s.CreateToken(context.Background(), NewToken{UID: uid, Kind: LoginToken,
		ClientType: EMail, Scope: UserScope, Lifetime: lifetime}, signed)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// second returns the error of a call that returns a value, too.
func second[T any](_ T, err error) error { return err }
