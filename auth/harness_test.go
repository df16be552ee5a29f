package auth

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"latchkey/models"
	"latchkey/models/modelstest"
	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// frozen runs a test on a clock that stands still until the test sleeps.
func frozen(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(3 * 366 * 24 * time.Hour) // from 2000; a token's time has ten digits from 2001 on
		run(t)
	})
}

// frozenWithFollower is frozen for a test that runs a follower. It is for SQLite only, because a
// clock does not move while a connection to PostgreSQL listens.
func frozenWithFollower(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	if postgrestest.Asked() {
		t.Skip("only for SQLite: the clock does not move while a connection listens")
	}
	frozen(t, run)
}

// eventually waits until a condition holds. A test that waits in vain ends by go test's own
// timeout.
func eventually(condition func() bool) {
	for !condition() {
		time.Sleep(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cheap returns the cheapest parameters in range.
func cheap() Params { return Params{MemoryKiB: minMemoryKiB, Time: 1, Threads: 1} }

// newDirectory returns a data directory with a new master key.
func newDirectory(t testing.TB) (dir string, key MasterKey) {
	t.Helper()
	dir = t.TempDir()
	key, err := CreateMasterKey(filepath.Join(dir, "secret"))
	must(t, err)
	return dir, key
}

// newAuthority returns an Authority over a new store.
func newAuthority(t testing.TB, options Options) *Authority {
	t.Helper()
	dir, key := newDirectory(t)
	return openAuthority(t, dir, key, options)
}

// newPair returns two Authorities over one new store, like those of two processes, and a function
// that opens another one.
func newPair(t testing.TB, options Options) (here, there *Authority, again func() *Authority) {
	t.Helper()
	dir, key := newDirectory(t)
	again = func() *Authority {
		t.Helper()
		return openAuthority(t, dir, key, options)
	}
	return again(), again(), again
}

func openAuthority(t testing.TB, dir string, key MasterKey, options Options) *Authority {
	t.Helper()
	ctx := context.Background()
	store, err := modelstest.Open(ctx, dir)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	ring, err := LoadKeyRing(ctx, store, key, filepath.Join(dir, "secret"))
	must(t, err)
	if options.Params == (Params{}) {
		options.Params = cheap()
	}
	a, err := NewAuthority(ctx, store, ring, options)
	must(t, err)
	return a
}

// run calls Run until the test ends or stop is called.
func run(t *testing.T, a *Authority) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { a.Run(ctx) })
	stop = func() {
		cancel()
		wait.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func register(t testing.TB, a *Authority, account string) models.User {
	t.Helper()
	user, err := a.Register(context.Background(), Registration{Account: account, Password: "secret1",
		Nickname: "Ann", ClientType: models.TypeOf(account)}, models.RoleUser)
	must(t, err)
	return user
}

func login(a *Authority, account, password string) (Issued, error) {
	return a.Login(context.Background(), Login{Account: account, Password: password,
		ClientType: models.TypeOf(account)})
}

func mustLogin(t testing.TB, a *Authority, account string) Issued {
	t.Helper()
	issued, err := login(a, account, "secret1")
	must(t, err)
	return issued
}

func mustVerify(t *testing.T, a *Authority, what, token string) {
	t.Helper()
	if _, err := a.Verify(token); err != nil {
		t.Errorf("%s: %v, want it to be valid", what, err)
	}
}

func mustReject(t *testing.T, a *Authority, what, token string, want error) {
	t.Helper()
	if _, err := a.Verify(token); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
