package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

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

// endings are those after a number.
func endings(t testing.TB, s *Store, seq int64) (found []Revocation) {
	t.Helper()
	_, err := s.Revocations(context.Background(), seq, 1<<60, func(e Revocation) { found = append(found, e) })
	if err != nil {
		t.Fatal(err)
	}
	return found
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

// TestNoText: what is no text is nobody's account.
func TestNoText(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, account := range []string{"\x00", "a\x00@b.cn", "a\xff@b.cn"} {
		if _, err := s.Credentials(t.Context(), account); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", account, err)
		}
	}
}

func TestUsers(t *testing.T) {
	s := openStore(t, t.TempDir())
	u := newUser(t, s, "Ann@Example.com")
	got, err := s.UserByID(t.Context(), u.ID)
	if err != nil || got != u {
		t.Errorf("%+v, %v, want %+v", got, err, u)
	}
	if _, err := s.CreateUser(t.Context(), NewUser{Account: "ANN@example.COM"}); err == nil {
		t.Error("an invalid role was stored")
	}
	_, err = s.CreateUser(t.Context(), NewUser{Account: "ANN@example.COM", Role: RoleUser})
	if !errors.Is(err, ErrAccountTaken) {
		t.Errorf("another spelling: %v", err)
	}
	if _, err := s.DeleteUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	if again := newUser(t, s, "ann@example.com"); again.ID <= u.ID {
		t.Errorf("id %d was used again for %d", u.ID, again.ID)
	}
	for name, err := range map[string]error{
		"UserByID":      second(s.UserByID(t.Context(), u.ID)),
		"UserByAccount": second(s.UserByAccount(t.Context(), "nobody@example.com")),
		"DeleteUser":    second(s.DeleteUser(t.Context(), u.ID)),
		"UpdateUser":    second(s.UpdateUser(t.Context(), u.ID, UserUpdate{})),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestSameAccountAtOnce: of many registrations of one account exactly one succeeds.
func TestSameAccountAtOnce(t *testing.T) {
	dir := t.TempDir()
	stores := []*Store{openStore(t, dir), openStore(t, dir)}
	var wait sync.WaitGroup
	errs := make(chan error, 20)
	for n := range cap(errs) {
		wait.Go(func() {
			_, err := stores[n%2].CreateUser(context.Background(), NewUser{Account: "a@b.cn", Role: RoleUser})
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrAccountTaken) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 20 succeeded", won)
	}
}

func TestTokensAndEndings(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	one, two := newToken(t, s, u.ID), newToken(t, s, u.ID)
	if one.ID == two.ID || one.ID.Order() >= two.ID.Order() {
		t.Errorf("%s, then %s", one.ID, two.ID)
	}
	ending, err := s.RevokeToken(t.Context(), one.ID, "test")
	if err != nil || ending.Through != one.ID {
		t.Errorf("%+v, %v", ending, err)
	}
	if again, err := s.RevokeToken(t.Context(), one.ID, "test"); err != nil || !again.IsZero() {
		t.Errorf("ended twice: %+v, %v", again, err)
	}
	role := RoleAdministrator
	all, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Role: &role, Reason: "test"})
	if err != nil || !all.EarlierToo || all.Through != two.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if got := endings(t, s, 0); !slices.Equal(got, []Revocation{ending, all}) {
		t.Errorf("%+v", got)
	}
	if got := endings(t, s, 1); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	k, err := s.TokenByID(t.Context(), two.ID)
	if err != nil || k.EndsAt > now() {
		t.Errorf("%+v, %v", k, err)
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 1}, signed)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("a token by an old epoch: %v", err)
	}
}

// TestClockBehind: with the clock before the newest ended token no token is issued that would be ended at birth.
func TestClockBehind(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	ahead := (TokenID{IssuedAt: now() + 3600}).Order()
	err := s.inTransaction(t.Context(), func(tx *transaction) error {
		row, err := tx.lockUser(u.ID)
		if err != nil {
			return err
		}
		row.revokedThrough = ahead
		return tx.storeUser(row)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 1}, signed)
	if !errors.Is(err, ErrClock) {
		t.Errorf("%v, want ErrClock", err)
	}
}

func TestSignErrorStoresNothing(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	sour := errors.New("sour")
	k, _, err := s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 60},
		func(Token) (int64, error) { return 0, sour })
	if !errors.Is(err, sour) {
		t.Errorf("%v, want sour", err)
	}
	if _, err := s.TokenByID(t.Context(), k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the token is there: %v", err)
	}
}

func TestPurge(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	for range 5 {
		k := newToken(t, s, u.ID)
		if _, err := s.RevokeToken(t.Context(), k.ID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := s.Purge(t.Context(), now(), 3); err != nil || gone != 0 {
		t.Errorf("live ones: %d, %v", gone, err)
	}
	for _, want := range []int64{6, 4, 0} { // three, then two, of each
		if gone, err := s.Purge(t.Context(), now()+100, 3); err != nil || gone != want {
			t.Errorf("%d, %v, want %d", gone, err, want)
		}
	}
}

func TestAccounts(t *testing.T) {
	tests := []struct {
		account string
		kind    ClientType
		ok      bool
	}{
		{"a@b.cn", EMail, true}, {"ann.b+tag@mail.example.com", EMail, true}, {"a@localhost", EMail, true},
		{"用户@例子.公司", EMail, true}, {strings.Repeat("a", 248) + "@b.com", EMail, true},
		{strings.Repeat("a", 249) + "@b.com", EMail, false}, {"a@b", EMail, false}, {"not-an-email", EMail, false},
		{"a@b@c.de", EMail, false}, {"a:b@c.de", EMail, false}, {"a b@c.de", EMail, false},
		{"a@b..de", EMail, false}, {".a@b.de", EMail, false}, {"a@b.de\n", EMail, false}, {"a\u202eb@c.de", EMail, false},
		{"ａ@example.com", EMail, false}, {"+8613800000000", Mobile, true}, {"8613800000000", Mobile, true},
		{"1234", Mobile, false}, {"0123456", Mobile, false}, {"12345a", Mobile, false}, {"++12345", Mobile, false},
		{"1234567890123456", Mobile, false}, {"a@b.cn", Mobile, false},
	}
	for _, test := range tests {
		v := ValidationError{}
		CheckAccount(v, test.kind, test.account)
		if (v.Err() == nil) != test.ok {
			t.Errorf("%q as %s: %v", test.account, test.kind, v)
		}
	}
}

// TestAccountKeyFolds: every letter has one key with all that differ from it in case only, whatever letters stand
// beside it.
func TestAccountKeyFolds(t *testing.T) {
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if !unicode.IsLetter(r) {
			continue
		}
		want := AccountKey("a@" + string(r))
		if got := AccountKey("ß@" + string(r)); strings.TrimPrefix(got, "ss") != strings.TrimPrefix(want, "a") {
			t.Errorf("%U: %q beside ß, %q beside a", r, got, want)
		}
		if got := AccountKey(want); got != want {
			t.Errorf("%U: %q, then %q", r, want, got)
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if got := AccountKey("a@" + string(other)); got != want {
				t.Errorf("%U: %q, and %U: %q", r, want, other, got)
			}
		}
	}
}

func FuzzAccountKey(f *testing.F) {
	for _, seed := range []string{"Ann@Example.com", "+49", "ß@ẞ.de", "İ@i.com", "ͅ@x", "Å@å.se", "ß@Ꮗ", "ꮗ@Ᏸ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, account string) {
		key := AccountKey(account)
		v := ValidationError{}
		CheckAccount(v, TypeOf(account), account)
		if v.Err() != nil {
			return // what no account may be need not have a stable key
		}
		if again := AccountKey(key); again != key {
			t.Errorf("%q: %q, then %q", account, key, again)
		}
		if AccountKey(strings.ToUpper(key)) != AccountKey(strings.ToLower(strings.ToUpper(key))) {
			t.Errorf("%q: upper and lower case differ", account)
		}
	})
}

// TestParameters: every $n becomes ?n, and each query numbers its parameters in the order of appearance.
func TestParameters(t *testing.T) {
	if got := (&sqlite{}).rebind("SELECT $2, $1"); got != "SELECT ?2, ?1" {
		t.Errorf("%q", got)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal, parameter := regexp.MustCompile("`[^`]*`|\"[^\"\n]*\""), regexp.MustCompile(`\$(\d+)`)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, query := range literal.FindAllString(string(raw), -1) {
			highest := 0
			for _, m := range parameter.FindAllStringSubmatch(query, -1) {
				var n int
				if _, err := fmt.Sscan(m[1], &n); err != nil || n > highest+1 {
					t.Errorf("%s: %s", file, query)
				}
				highest = max(highest, n)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	t.Run("ErrNoDatabase", func(t *testing.T) {
		if _, err := Open(t.Context(), t.TempDir(), false); !errors.Is(err, ErrNoDatabase) {
			t.Error(err)
		}
	})
	t.Run("ErrForeign", func(t *testing.T) {
		dir := t.TempDir()
		text := strings.Repeat("no database ", 100)
		if err := os.WriteFile(filepath.Join(dir, DatabaseFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, true); !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	})
	t.Run("OK/closed stays closed", func(t *testing.T) {
		s := openStore(t, t.TempDir())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UserByID(t.Context(), 1); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if _, err := s.RevokeToken(t.Context(), TokenID{}, ""); err == nil {
			t.Error("a write on a closed store succeeded")
		}
	})
}

// TestLetPass: the store's own time follows the clock while nothing is remembered, and then only by what has passed.
func TestLetPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeWithKey(t)
		ctx := t.Context()
		steps := []struct {
			name    string
			clock   time.Duration // by how much it goes on first
			before  func()
			seconds int64
			behind  int64 // the clock
		}{
			{"first", 0, func() {}, 0, 0},
			{"nothing is remembered", 48 * time.Hour, func() {}, 1, 0},
			{"asked alone", time.Hour, func() {}, 0, 3600},
			{"a token", time.Hour, func() { newToken(t, s, newUser(t, s, "a@b.cn").ID) }, 3600, 3600},
			{"not beyond the clock", 0, func() {}, 4000, 0},
			{"ten years", 87600 * time.Hour, func() {}, 10, 87600*3600 - 10},
		}
		for _, step := range steps {
			time.Sleep(step.clock)
			step.before()
			got, err := s.AdvanceClock(ctx, step.seconds)
			if want := time.Now().Unix() - step.behind; err != nil || got != want {
				t.Errorf("%s: %d seconds behind, want %d: %v", step.name, time.Now().Unix()-got, step.behind, err)
			}
		}
	})
}

// TestVacuum: a database that another program vacuums is not taken for one that was cut.
func TestVacuum(t *testing.T) {
	onSQLite(t)
	dir := t.TempDir()
	s := openStore(t, dir)
	for n := range 500 {
		newUser(t, s, fmt.Sprintf("user%d@example.com", n))
	}
	path := filepath.Join(dir, DatabaseFile)
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	sizes := []int64{}
	for _, statement := range []string{"PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM users WHERE id > 1", "VACUUM",
		"PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("after %s: %v", statement, err)
		}
		sizes = append(sizes, size())
	}
	newUser(t, s, "a@b.cn")
	if sizes[3] >= sizes[0] {
		t.Errorf("the file did not shrink: %v", sizes)
	}
}
