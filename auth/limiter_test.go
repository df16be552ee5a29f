package auth

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/models"
)

// attempt logs in from an address. left is the number of attempts that may still fail without a
// wait; wait is the time until the next attempt if there is none.
func (a *Authority) attempt(
	t testing.TB, account, password, address string, devices ...Device,
) (left int, wait time.Duration, err error) {
	t.Helper()
	_, err = a.Login(t.Context(), Login{Account: account, Password: password,
		ClientType: models.TypeOf(account), Client: Client{Address: address}, Devices: devices})
	var refusal *LoginError
	if !errors.As(err, &refusal) {
		return 0, 0, err
	}
	if refusal.Left == 0 {
		wait = refusal.Reset
	}
	return refusal.Left, wait, err
}

// exhaust fails to log in until no more attempts are allowed, and returns how many were.
func exhaust(t *testing.T, a *Authority, account, address string, devices ...Device) (attempts int) {
	t.Helper()
	for ; ; attempts++ {
		_, _, err := a.attempt(t, account, "wrong-1", address, devices...)
		switch {
		case errors.Is(err, ErrTooManyAttempts):
			return attempts
		case !errors.Is(err, ErrWrongPassword) && !errors.Is(err, ErrUnknownAccount), attempts > 1000:
			t.Fatalf("attempt %d: %v", attempts, err)
		}
	}
}

// TestAccountLimit: ten attempts may fail without a wait. Each further one doubles the wait, up to
// an hour. A successful one clears them all.
func TestAccountLimit(t *testing.T) { frozen(t, testAccountLimit) }

func testAccountLimit(t *testing.T) {
	const account, address = "ann@example.com", "192.0.2.1"
	a := newAuthority(t, Options{})
	register(t, a, account)
	for want := 9; want >= 0; want-- {
		left, _, err := a.attempt(t, account, "wrong-1", address)
		if !errors.Is(err, ErrWrongPassword) || left != want {
			t.Errorf("%d left, %v, want %d", left, err, want)
		}
	}
	var waits []time.Duration
	for range 9 {
		_, wait, err := a.attempt(t, account, "secret1", address)
		if !errors.Is(err, ErrTooManyAttempts) || wait <= 0 {
			t.Fatalf("the right password too early: %v, %v", err, wait)
		}
		waits = append(waits, wait)
		time.Sleep(wait - time.Millisecond)
		if _, _, err := a.attempt(t, account, "wrong-1", address); !errors.Is(err, ErrTooManyAttempts) {
			t.Fatalf("a millisecond early: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, _, err := a.attempt(t, account, "wrong-1", address); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("after the wait: %v", err)
		}
	}
	const s = time.Second
	want := []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 640 * s, 1280 * s, 2560 * s}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	attempts := 19
	for until := time.Now().Add(22 * time.Hour); time.Now().Before(until); attempts++ {
		_, wait, _ := a.attempt(t, account, "wrong-1", address)
		if wait > time.Hour {
			t.Fatalf("a wait of %v, want at most an hour", wait)
		}
		time.Sleep(wait)
	}
	if attempts > 60 {
		t.Errorf("%d attempts in a day, want at most 60", attempts)
	}
	if _, _, err := a.attempt(t, account, "secret1", address); err != nil {
		t.Errorf("the right password: %v", err)
	}
	if got := exhaust(t, a, account, address); got != 10 {
		t.Errorf("%d attempts after a successful one, want 10", got)
	}
}

// TestFailuresAreForgotten: one failed attempt is forgotten every 144 minutes, all within a day.
func TestFailuresAreForgotten(t *testing.T) {
	frozen(t, func(t *testing.T) {
		a := newAuthority(t, Options{})
		register(t, a, "ann@example.com")
		for pause, want := range map[time.Duration]int{144 * time.Minute: 1, 12 * time.Hour: 5,
			24 * time.Hour: 10, 30 * 24 * time.Hour: 10} {
			time.Sleep(25 * time.Hour)
			exhaust(t, a, "ann@example.com", "192.0.2.1")
			time.Sleep(pause)
			if got := exhaust(t, a, "ann@example.com", "192.0.2.1"); got != want {
				t.Errorf("%d attempts after %v, want %d", got, pause, want)
			}
		}
	})
}

// TestLimitKeys: which attempts share a limit.
func TestLimitKeys(t *testing.T) { frozen(t, testLimitKeys) }

func testLimitKeys(t *testing.T) {
	a := newAuthority(t, Options{AccountAttempts: 3})
	register(t, a, "ann@example.com")
	register(t, a, "bob@example.com")
	for _, address := range []string{"192.0.2.1", "2001:db8::1", "127.0.0.1"} {
		if got := exhaust(t, a, "ann@example.com", address); got != 3 {
			t.Errorf("%d attempts from %s, want 3", got, address)
		}
	}
	tests := map[string]struct {
		account, address string
		shared           bool
	}{
		"the same":               {"ann@example.com", "192.0.2.1", true},
		"another spelling":       {"ANN@Example.COM", "192.0.2.1", true},
		"a mapped address":       {"ann@example.com", "::ffff:192.0.2.1", true},
		"the same /64":           {"ann@example.com", "2001:db8::ffff:ffff:ffff:1", true},
		"loopback by IPv6":       {"ann@example.com", "::1", true},
		"no address":             {"ann@example.com", "", true}, // like loopback
		"another network":        {"ann@example.com", "192.0.2.2", false},
		"another /64":            {"ann@example.com", "2001:db8:0:1::1", false},
		"another account":        {"bob@example.com", "192.0.2.1", false},
		"an unknown account":     {"eve@example.com", "192.0.2.1", false},
		"an account on loopback": {"bob@example.com", "127.0.0.1", false},
	}
	for name, test := range tests {
		_, _, err := a.attempt(t, test.account, "wrong-1", test.address)
		if errors.Is(err, ErrTooManyAttempts) != test.shared {
			t.Errorf("%s: %v, want a shared limit: %v", name, err, test.shared)
		}
	}
}

// TestNetworkLimit: a network has a number of failed attempts per hour for all accounts together. A
// successful login does not clear them. Loopback has no limit.
func TestNetworkLimit(t *testing.T) { frozen(t, testNetworkLimit) }

func testNetworkLimit(t *testing.T) {
	if got := (Options{}).withDefaults().NetworkAttempts; got != 100 {
		t.Errorf("the default is %d attempts, want 100", got)
	}
	const attempts = 20
	a := newAuthority(t, Options{NetworkAttempts: attempts})
	register(t, a, "ann@example.com")
	guess := func(address string) (n int) {
		for n = 0; n < attempts*3/2; n++ {
			_, _, err := a.attempt(t, fmt.Sprintf("nobody%d@example.com", n), "wrong-1", address)
			if errors.Is(err, ErrTooManyAttempts) {
				break
			}
			if n == attempts/2 {
				_, _, err := a.attempt(t, "ann@example.com", "secret1", address)
				must(t, err)
			}
		}
		return n
	}
	if got := guess("192.0.2.1"); got != attempts {
		t.Errorf("%d attempts from one network, want %d", got, attempts)
	}
	_, wait, err := a.attempt(t, "ann@example.com", "secret1", "192.0.2.1")
	if !errors.Is(err, ErrTooManyAttempts) || wait != time.Second {
		t.Errorf("%v, wait %v, want 1s", err, wait)
	}
	if _, _, err := a.attempt(t, "ann@example.com", "secret1", "192.0.2.2"); err != nil {
		t.Errorf("from another network: %v", err)
	}
	time.Sleep(time.Hour)
	if got := guess("192.0.2.1"); got != attempts {
		t.Errorf("%d attempts an hour later, want %d", got, attempts)
	}
	if got := guess("127.0.0.1"); got != attempts*3/2 {
		t.Errorf("%d attempts from loopback, want %d", got, attempts*3/2)
	}
}

// TestParallelAttempts: of parallel attempts with a wrong password only as many are hashed as of
// sequential ones. Parallel logins with the right password all succeed.
func TestParallelAttempts(t *testing.T) { frozen(t, testParallelAttempts) }

func testParallelAttempts(t *testing.T) {
	const logins = maxWaiting
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	for _, test := range []struct {
		password                   string
		succeeded, limited, hashes int64
	}{{"secret1", logins, 0, logins}, {"wrong-1", 0, logins - 10, 10}} {
		before := a.hasher.made.Load()
		succeeded, limited := inParallel(t, a, test.password, logins)
		hashes := a.hasher.made.Load() - before
		if succeeded != test.succeeded || limited != test.limited || hashes != test.hashes {
			t.Errorf("%s: %d succeeded, %d limited, %d hashes, want %d, %d, %d", test.password,
				succeeded, limited, hashes, test.succeeded, test.limited, test.hashes)
		}
	}
}

func inParallel(t *testing.T, a *Authority, password string, n int) (succeeded, limited int64) {
	t.Helper()
	var success, limit atomic.Int64
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			switch _, _, err := a.attempt(t, "ann@example.com", password, "192.0.2.1"); {
			case err == nil:
				success.Add(1)
			case errors.Is(err, ErrTooManyAttempts):
				limit.Add(1)
			case !errors.Is(err, ErrWrongPassword):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	return success.Load(), limit.Load()
}

// TestUndecidedAttempts: an attempt that was not decided does not count as failed. One that could
// not be stored does, but its error is the store's.
func TestUndecidedAttempts(t *testing.T) { frozen(t, testUndecidedAttempts) }

func testUndecidedAttempts(t *testing.T) {
	a := newAuthority(t, Options{AccountAttempts: 1})
	register(t, a, "ann@example.com")
	for range Slots() {
		must(t, a.hasher.queue.enter(t.Context(), origin{}))
	}
	a.hasher.queue.waiting = slices.Repeat([]*waiter{{}}, maxWaiting)
	if _, _, err := a.attempt(t, "ann@example.com", "wrong-1", "192.0.2.1"); !errors.Is(err, ErrBusy) {
		t.Errorf("a full queue: %v, want ErrBusy", err)
	}
	a.hasher.queue.waiting = nil
	for range Slots() {
		a.hasher.queue.leave()
	}
	_, _, err := a.attempt(t, "ann@example.com", "wrong-1", "192.0.2.1")
	if !errors.Is(err, ErrWrongPassword) {
		t.Errorf("after a full queue: %v, want ErrWrongPassword", err)
	}
	keys := a.limiter.keysFor("192.0.2.9", "ann@example.com")
	attempt, err := a.limiter.reserve(t.Context(), keys)
	must(t, err)
	must(t, a.store.Close())
	err = attempt.fail(t.Context(), ErrWrongPassword)
	if err == nil || errors.Is(err, ErrWrongPassword) {
		t.Errorf("with a closed store: %v, want its error", err)
	}
	want := ErrTooManyAttempts
	if a.store.Shared() {
		want = models.ErrUnavailable // it reads the counts of other nodes first
	}
	if _, err := a.limiter.reserve(t.Context(), keys); !errors.Is(err, want) {
		t.Errorf("after an attempt that could not be stored: %v, want %v", err, want)
	}
}

// FuzzNetworkOf: every address has a network of bounded length.
func FuzzNetworkOf(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "::1", "fe80::1%eth0", "2001:db8::1",
		"::ffff:10.0.0.1", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		for _, n := range networksOf(address) {
			if len(n.prefix) > 40 {
				t.Errorf("a network of %q is %q", address, n.prefix)
			}
		}
	})
}
