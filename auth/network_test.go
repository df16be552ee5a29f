package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"latchkey/models"
	"latchkey/models/postgrestest"
)

// host returns the nth address of a network, each in another /64 if there is one.
type host func(n int) string

func hosts(format string, count int) host {
	return func(n int) string { return fmt.Sprintf(format, n%count) }
}

// guess makes a failed attempt without a hash. wait is the time until the next one if it is not
// allowed.
func guess(t *testing.T, l *loginLimiter, account, address string) (wait time.Duration) {
	t.Helper()
	attempt, err := l.reserve(t.Context(), l.keysFor(address, account))
	var refusal *LoginError
	if errors.As(err, &refusal) {
		return refusal.Reset
	}
	must(t, err)
	if err := attempt.fail(t.Context(), ErrWrongPassword); !errors.Is(err, ErrWrongPassword) {
		t.Fatal(err)
	}
	return 0
}

// TestWideNetworks: all networks of a wider one share its limits, which are wider, too. Each
// further address of a network gets no more.
func TestWideNetworks(t *testing.T) { frozen(t, testWideNetworks) }

func testWideNetworks(t *testing.T) {
	tests := map[string]struct {
		hosts  host
		others string // an address of another network
		factor int
	}{
		"a /64": {hosts("2001:db8:a:0:%x::1", 200), "2001:db8:a:1::1", 1},
		"a /56": {hosts("2001:db8:b:%x::1", 256), "2001:db8:b:100::1", 4},
		"a /48": {hosts("2001:db8:c:%x::1", 65_536), "2001:db8:d::1", 16},
		"a /32": {hosts("192.0.2.%d", 1), "192.0.2.9", 1},
		"a /24": {hosts("198.51.100.%d", 256), "198.51.101.1", 16},
	}
	for name, test := range tests {
		a := newAuthority(t, Options{AccountAttempts: 2, NetworkAttempts: 6})
		one, all := 0, 0
		for n := range 40 {
			_, _, err := a.attempt(t, "ann@example.com", "wrong-1", test.hosts(n*259))
			if !errors.Is(err, ErrTooManyAttempts) {
				one++
			}
		}
		for n := range 400 {
			if guess(t, a.limiter, fmt.Sprintf("%d@example.com", n), test.hosts(n*259)) == 0 {
				all++
			}
		}
		if want := 2 * test.factor; one != want {
			t.Errorf("%s: %d attempts for one account, want %d", name, one, want)
		}
		if want := 6*test.factor - one; all != want {
			t.Errorf("%s: %d attempts for all accounts, want %d", name, all, want)
		}
		if _, _, err := a.attempt(t, "ann@example.com", "wrong-1", test.others); !errors.Is(err,
			ErrUnknownAccount) {
			t.Errorf("%s: from another network: %v", name, err)
		}
	}
}

// TestGuessesFromOnePrefix: a guesser with the 65,536 networks of a /48 has 160 attempts at an
// account without a wait, and at most 340 in a day.
func TestGuessesFromOnePrefix(t *testing.T) { frozen(t, testGuessesFromOnePrefix) }

func testGuessesFromOnePrefix(t *testing.T) {
	if postgrestest.Asked() {
		t.Skip("only for SQLite: each of 65,536 attempts queries PostgreSQL")
	}
	const account, free, day = "ann@example.com", 160, 340
	l, next, made := newAuthority(t, Options{}).limiter, hosts("2001:db8:0:%x::1", 65_536), 0
	for n := range 65_536 {
		if guess(t, l, account, next(n)) == 0 {
			made++
		}
		if made > free {
			t.Fatalf("more than %d of %d attempts without a wait", free, n+1)
		}
	}
	if made != free {
		t.Errorf("%d attempts without a wait, want %d", made, free)
	}
	for until, n := time.Now().Add(24*time.Hour), 0; time.Now().Before(until) && made <= day; n++ {
		wait := guess(t, l, account, next(n))
		if wait == 0 {
			made++
		}
		time.Sleep(wait)
	}
	if made > day {
		t.Errorf("%d attempts or more in a day, want at most %d", made, day)
	}
}

// TestOneGuesserInAWideNetwork: a guesser who does nothing else for a day, and has all addresses of
// one network, does not make its neighbours in the wider network wait, such as a campus.
func TestOneGuesserInAWideNetwork(t *testing.T) { frozen(t, testOneGuesserInAWideNetwork) }

func testOneGuesserInAWideNetwork(t *testing.T) {
	tests := map[string]struct {
		hosts      host
		neighbours []string
	}{
		"a /32": {hosts("192.0.2.%d", 1), []string{"192.0.2.9"}},
		"a /64": {hosts("2001:db8:a:0:%x::1", 65_536), []string{"2001:db8:a:1::1", "2001:db8:a:100::1"}},
		"a /56": {hosts("2001:db8:b:%x::1", 256), []string{"2001:db8:b:100::1"}},
	}
	for name, test := range tests {
		for span, account := range map[time.Duration]string{
			24 * time.Hour: "ann@example.com", 2 * time.Hour: "%d@example.com", // all accounts
		} {
			l := newAuthority(t, Options{AccountAttempts: 10, NetworkAttempts: 20}).limiter
			for until, n := time.Now().Add(span), 0; time.Now().Before(until) && n < 2000; n++ {
				guessed := account
				if span < 24*time.Hour {
					guessed = fmt.Sprintf(account, n)
				}
				wait := guess(t, l, guessed, test.hosts(n))
				for _, neighbour := range test.neighbours {
					attempt, err := l.reserve(t.Context(), l.keysFor(neighbour, guessed))
					if err != nil {
						t.Fatalf("%s, %s: attempt %d keeps %s out: %v", name, account, n, neighbour, err)
					}
					attempt.release()
				}
				time.Sleep(wait)
			}
		}
	}
}

// TestSuccessClearsOneNetwork: a login with the right password clears the account's attempts from
// its own network. Those of the wider ones stay, because a guesser there may have made them.
func TestSuccessClearsOneNetwork(t *testing.T) { frozen(t, testSuccessClearsOneNetwork) }

func testSuccessClearsOneNetwork(t *testing.T) {
	const account = "ann@example.com"
	a := newAuthority(t, Options{AccountAttempts: 2})
	register(t, a, account)
	for n := range 7 {
		guess(t, a.limiter, account, hosts("2001:db8:0:%x::1", 256)(n+1))
	}
	_, _, err := a.attempt(t, account, "secret1", "2001:db8:0:1::1")
	must(t, err)
	if left := exhaust(t, a, account, "2001:db8:0:1::1"); left != 1 {
		t.Errorf("%d attempts after a successful one, want 1: the /56 has 8", left)
	}
}

// TestEarlierCountsStayValid: the limit keys of the narrowest networks are those of earlier
// versions, so that two versions count together.
func TestEarlierCountsStayValid(t *testing.T) {
	l := newAuthority(t, Options{}).limiter
	for address, prefix := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "::1": "", "": "",
	} {
		keys := map[bucketKey]bool{}
		for _, key := range l.keysFor(address, "Ann@Example.com") {
			keys[key.bucket] = true
		}
		pair := l.limitKey(nil, "account", prefix, models.AccountKey("ann@example.com"))
		network := l.limitKey(nil, "network", prefix)
		if !keys[pair.bucket] || keys[network.bucket] != (prefix != "") {
			t.Errorf("%q: the account's key is missing, or the network's", address)
		}
	}
}
