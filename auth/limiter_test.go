package auth

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/models/postgrestest"
)

// try logs in from an address and says how many tries may still be wrong, and how long to wait when none may.
func (a *Authority) try(t testing.TB, account, secret, address string, known ...Device) (left int, err error) {
	t.Helper()
	_, err = a.Login(t.Context(), Login{Account: account, Password: secret, ClientType: models.TypeOf(account),
		Client: Client{Address: address}, Devices: known})
	var refusal *LoginError
	if errors.As(err, &refusal) {
		return refusal.Left, err
	}
	return -1, err
}

// waitOf is how long a refusal says to wait.
func waitOf(err error) time.Duration {
	var refusal *LoginError
	if errors.As(err, &refusal) && refusal.Left == 0 {
		return refusal.Reset
	}
	return 0
}

// exhaust makes wrong tries until no more is taken.
func exhaust(t *testing.T, a *Authority, account, address string, known ...Device) (tries int) {
	t.Helper()
	for ; ; tries++ {
		_, err := a.try(t, account, "wrong-1", address, known...)
		switch {
		case errors.Is(err, ErrTooManyAttempts):
			return tries
		case !errors.Is(err, ErrWrongPassword) && !errors.Is(err, ErrUnknownAccount) || tries > 1000:
			t.Fatalf("try %d: %v", tries, err)
		}
	}
}

// TestTries: ten wrong tries cost nothing, then each costs twice the time of the one before, up to an hour; a right
// one makes it all good.
func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 366 * 24 * time.Hour) // tokens have ten digits of time
		a := newAuthority(t, Options{})
		register(t, a, "ann@example.com")
		for want := 9; want >= 0; want-- {
			left, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1")
			if !errors.Is(err, ErrWrongPassword) || left != want {
				t.Errorf("%d left, %v, want %d", left, err, want)
			}
		}
		var waits []time.Duration
		for range 9 {
			_, err := a.try(t, "ann@example.com", "secret1", "192.0.2.1")
			wait := waitOf(err)
			if !errors.Is(err, ErrTooManyAttempts) || wait <= 0 {
				t.Fatalf("right, but too early: %v, %v", err, wait)
			}
			waits = append(waits, wait)
			time.Sleep(wait - time.Millisecond)
			if _, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1"); !errors.Is(err, ErrTooManyAttempts) {
				t.Fatalf("a millisecond early: %v", err)
			}
			time.Sleep(time.Millisecond)
			if _, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1"); !errors.Is(err, ErrWrongPassword) {
				t.Fatalf("after the wait: %v", err)
			}
		}
		const s = time.Second
		want := []time.Duration{10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 640 * s, 1280 * s, 2560 * s}
		if !slices.Equal(waits, want) {
			t.Errorf("waits %v", waits)
		}
		tries := 19
		for until := time.Now().Add(22 * time.Hour); time.Now().Before(until); tries++ {
			_, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1")
			if wait := waitOf(err); wait > time.Hour {
				t.Fatalf("a wait of %v", wait)
			}
			time.Sleep(waitOf(err))
		}
		if tries > 60 {
			t.Errorf("%d tries a day", tries)
		}
		if _, err := a.try(t, "ann@example.com", "secret1", "192.0.2.1"); err != nil {
			t.Errorf("right at last: %v", err)
		}
		if got := exhaust(t, a, "ann@example.com", "192.0.2.1"); got != 10 {
			t.Errorf("%d tries after a right one", got)
		}
	})
}

// TestTriesAreForgotten: one of them every 144 minutes, all within a day.
func TestTriesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, Options{})
		register(t, a, "ann@example.com")
		exhaust(t, a, "ann@example.com", "192.0.2.1")
		for quiet, want := range map[time.Duration]int{144 * time.Minute: 1, 12 * time.Hour: 5, 24 * time.Hour: 10,
			30 * 24 * time.Hour: 10} {
			time.Sleep(25 * time.Hour)
			exhaust(t, a, "ann@example.com", "192.0.2.1")
			time.Sleep(quiet)
			if got := exhaust(t, a, "ann@example.com", "192.0.2.1"); got != want {
				t.Errorf("%d tries after %v, want %d", got, quiet, want)
			}
		}
	})
}

// TestWhoShares: what shares one allowance, and what does not.
func TestWhoShares(t *testing.T) {
	tests := map[string]struct {
		account, address string
		taken            bool
	}{
		"the same":                    {"ann@example.com", "192.0.2.1", true},
		"another spelling":            {"ANN@Example.COM", "192.0.2.1", true},
		"a mapped address":            {"ann@example.com", "::ffff:192.0.2.1", true},
		"elsewhere":                   {"ann@example.com", "192.0.2.2", false},
		"elsewhere by IPv6":           {"ann@example.com", "2001:db8::1", false},
		"this machine":                {"ann@example.com", "127.0.0.1", false},
		"no address":                  {"ann@example.com", "", false},
		"another account":             {"bob@example.com", "192.0.2.1", false},
		"an account that is no one's": {"eve@example.com", "192.0.2.1", false},
	}
	a := newAuthority(t, Options{AccountAttempts: 3, Params: cheap})
	register(t, a, "ann@example.com")
	register(t, a, "bob@example.com")
	exhaust(t, a, "ann@example.com", "192.0.2.1")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := a.try(t, test.account, "wrong-1", test.address); errors.Is(err, ErrTooManyAttempts) != test.taken {
				t.Errorf("%v", err)
			}
		})
	}
	exhaust(t, a, "ann@example.com", "2001:db8::1")
	if _, err := a.try(t, "ann@example.com", "wrong-1", "2001:db8::ffff:ffff:ffff:1"); !errors.Is(err, ErrTooManyAttempts) {
		t.Errorf("the same 64 bits: %v", err)
	}
	if _, err := a.try(t, "ann@example.com", "wrong-1", "2001:db8:0:1::1"); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("other 64 bits: %v", err)
	}
	exhaust(t, a, "ann@example.com", "127.0.0.1")
	if _, err := a.try(t, "ann@example.com", "wrong-1", "::1"); !errors.Is(err, ErrTooManyAttempts) {
		t.Errorf("this machine, otherwise: %v", err)
	}
}

// TestNetworkTries: a network has a hundred wrong tries an hour, whatever the accounts; to log in to an account of
// one's own does not give them back. This machine is no network.
func TestNetworkTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * 366 * 24 * time.Hour) // tokens have ten digits of time
		a := newAuthority(t, Options{})
		register(t, a, "ann@example.com")
		guess := func(address string) (n int) {
			for n = 0; n < 150; n++ {
				_, err := a.try(t, fmt.Sprintf("nobody%d@example.com", n), "wrong-1", address)
				if errors.Is(err, ErrTooManyAttempts) {
					break
				}
				if n == 50 {
					if _, err := a.try(t, "ann@example.com", "secret1", address); err != nil {
						t.Fatal(err)
					}
				}
			}
			return n
		}
		if got := guess("192.0.2.1"); got != 100 {
			t.Errorf("%d tries from one network", got)
		}
		_, err := a.try(t, "ann@example.com", "secret1", "192.0.2.1")
		if !errors.Is(err, ErrTooManyAttempts) || waitOf(err) != time.Second {
			t.Errorf("%v, wait %v", err, waitOf(err))
		}
		if _, err := a.try(t, "ann@example.com", "secret1", "192.0.2.2"); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		time.Sleep(time.Hour)
		if got := guess("192.0.2.1"); got != 100 {
			t.Errorf("%d tries an hour later", got)
		}
		if got := guess("127.0.0.1"); got != 150 {
			t.Errorf("%d tries from this machine", got)
		}
	})
}

// TestAtOnce: of many wrong tries at once no more are hashed than one after the other; many right ones are all let in.
func TestAtOnce(t *testing.T) { synctest.Test(t, testAtOnce) }

func testAtOnce(t *testing.T) {
	time.Sleep(2 * 366 * 24 * time.Hour) // tokens have ten digits of time
	a := newAuthority(t, Options{Params: cheap})
	register(t, a, "ann@example.com")
	before := a.hasher.made.Load()
	let, refused := atOnce(t, a, "secret1")
	if let != 64 || refused != 0 {
		t.Errorf("right: %d let in, %d refused", let, refused)
	}
	if got := a.hasher.made.Load() - before; got != 64 {
		t.Errorf("%d hashes", got)
	}
	before = a.hasher.made.Load()
	if let, refused := atOnce(t, a, "wrong-1"); let != 0 || refused != 54 {
		t.Errorf("wrong: %d let in, %d refused without a hash", let, refused)
	}
	if got := a.hasher.made.Load() - before; got != 10 {
		t.Errorf("%d hashes", got)
	}
}

func atOnce(t *testing.T, a *Authority, secret string) (let, refused int64) {
	var in, out atomic.Int64
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			switch _, err := a.try(t, "ann@example.com", secret, "192.0.2.1"); {
			case err == nil:
				in.Add(1)
			case errors.Is(err, ErrTooManyAttempts):
				out.Add(1)
			case !errors.Is(err, ErrWrongPassword):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	return in.Load(), out.Load()
}

// TestOwnerGetsIn: while a stranger uses up every try, the owner gets in from elsewhere, and from the same network with
// a device that has logged in before or a token that still works. Another's device is of no use, and a stolen one has
// no more tries than others.
func TestOwnerGetsIn(t *testing.T) {
	a := newAuthority(t, Options{Params: cheap})
	ann, bob := register(t, a, "ann@example.com"), register(t, a, "bob@example.com")
	device := func(uid uint32) []Device {
		token, err := a.DeviceToken(uid)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("Cookie", "latchkey-device="+token)
		return a.Devices(r, false)
	}
	withToken := httptest.NewRequest("POST", "/v1/token", nil)
	withToken.Header.Set("Authorization", "Bearer "+mustLogin(t, a, "ann@example.com").Token)
	stolen := device(ann.ID)
	exhaust(t, a, "ann@example.com", "192.0.2.1", device(bob.ID)...)
	if got := exhaust(t, a, "ann@example.com", "192.0.2.1", stolen...); got != 10 {
		t.Errorf("a stolen device has %d tries", got)
	}
	tests := []struct {
		name, address string
		known         []Device
		err           error
	}{
		{"OK/elsewhere", "192.0.2.2", nil, nil},
		{"OK/device", "192.0.2.1", device(ann.ID), nil},
		{"OK/token", "192.0.2.1", a.Devices(withToken, false), nil},
		{"OK/two devices", "192.0.2.1", append(device(bob.ID), device(ann.ID)...), nil},
		{"ErrTooMany/stranger", "192.0.2.1", nil, ErrTooManyAttempts},
		{"ErrTooMany/another's device", "192.0.2.1", device(bob.ID), ErrTooManyAttempts},
		{"ErrTooMany/no device", "192.0.2.1", device(0), ErrTooManyAttempts},
		{"ErrTooMany/the stolen device", "192.0.2.1", stolen, ErrTooManyAttempts},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := a.try(t, "ann@example.com", "secret1", test.address, test.known...); !errors.Is(err, test.err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestForgedDevices: what is no valid cookie of a device, or of another purpose, shows nothing.
func TestForgedDevices(t *testing.T) {
	a := newAuthority(t, Options{})
	ann := register(t, a, "ann@example.com")
	token, err := a.DeviceToken(ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("a device's cookie as a token: %v", err)
	}
	changed := token[:55] + "x"
	if changed == token {
		changed = token[:55] + "y"
	}
	for name, cookie := range map[string]string{"empty": "latchkey-device=", "cut": "latchkey-device=" + token[:55],
		"another name": "latchkey=" + token, "changed": "latchkey-device=" + changed,
		"a session": "latchkey-device=" + mustLogin(t, a, "ann@example.com").Token} {
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("Cookie", cookie)
		if got := a.Devices(r, false); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTriesSurviveRestart, killed or not: what was counted is stored before the answer. A clock that was set back in
// between lengthens no wait.
func TestTriesSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	first := openAuthority(t, dir, secret, Options{Params: cheap, AccountAttempts: 3, NetworkAttempts: 6})
	register(t, first, "ann@example.com")
	exhaust(t, first, "ann@example.com", "192.0.2.1")
	if _, err := first.try(t, "bob@example.com", "wrong-1", "192.0.2.1"); !errors.Is(err, ErrUnknownAccount) {
		t.Fatal(err)
	}
	again := openAuthority(t, dir, secret, Options{Params: cheap, AccountAttempts: 3, NetworkAttempts: 6})
	_, err = again.try(t, "ann@example.com", "secret1", "192.0.2.1")
	if wait := waitOf(err); !errors.Is(err, ErrTooManyAttempts) || wait < 5*time.Second || wait > 10*time.Second {
		t.Errorf("%v, wait %v", err, wait)
	}
	if left, err := again.try(t, "bob@example.com", "wrong-1", "192.0.2.1"); left != 1 {
		t.Errorf("%d left for another account, %v", left, err)
	}
	if _, err := again.try(t, "ann@example.com", "secret1", "192.0.2.2"); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
	ahead := time.Now().AddDate(1, 0, 0).UnixMilli()
	if err := again.store.RecordFailures(t.Context(), []models.Failures{{Key: keyOf(again, "192.0.2.3", "ann@example.com"),
		FailedAt: ahead, ClearsAt: ahead + 3*8*3600*1000}}, func(models.Failures) {}); err != nil {
		t.Fatal(err)
	}
	third := openAuthority(t, dir, secret, Options{Params: cheap, AccountAttempts: 3})
	_, err = third.try(t, "ann@example.com", "secret1", "192.0.2.3")
	if wait := waitOf(err); !errors.Is(err, ErrTooManyAttempts) || wait > 10*time.Second {
		t.Errorf("counted by a clock a year ahead: %v, wait %v", err, wait)
	}
}

func keyOf(a *Authority, address, account string) []byte {
	key := a.limiter.keysFor(address, account)[0].bucket
	return key[:]
}

// TestGivenBack: a try that came to nothing, or that the store could not take note of, is no wrong one, and no one is
// told that it was.
func TestGivenBack(t *testing.T) {
	a := newAuthority(t, Options{Params: cheap, AccountAttempts: 1})
	register(t, a, "ann@example.com")
	for range Slots() {
		if err := a.hasher.queue.enter(t.Context(), origin{}); err != nil {
			t.Fatal(err)
		}
	}
	a.hasher.queue.waiting = slices.Repeat([]*waiter{{}}, maxWaiting)
	if _, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1"); !errors.Is(err, ErrBusy) {
		t.Errorf("a full queue: %v", err)
	}
	a.hasher.queue.waiting = nil
	for range Slots() {
		a.hasher.queue.leave()
	}
	if left, err := a.try(t, "ann@example.com", "wrong-1", "192.0.2.1"); left != 0 || !errors.Is(err, ErrWrongPassword) {
		t.Errorf("%d left, %v", left, err)
	}
	subjects := a.limiter.keysFor("192.0.2.9", "ann@example.com")
	try, err := a.limiter.reserve(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := try.fail(t.Context(), ErrWrongPassword); err == nil || errors.Is(err, ErrWrongPassword) {
		t.Errorf("a closed store: %v", err)
	}
	want := ErrTooManyAttempts
	if a.store.Shared() {
		want = models.ErrUnavailable // it asks for the tries on other nodes first
	}
	if _, err := a.limiter.reserve(t.Context(), subjects); !errors.Is(err, want) {
		t.Errorf("the try that could not be stored counts all the same: %v", err)
	}
}

// TestMillionNames: a million names from ten thousand networks take no more than 16 MiB, and wash out neither the
// network's own count nor what others keep on trying.
func TestMillionNames(t *testing.T) { synctest.Test(t, testMillionNames) } // no time passes

func testMillionNames(t *testing.T) {
	if postgrestest.Asked() {
		t.Skip("with SQLite only: what a node remembers is the same, but it asks a million times")
	}
	a := newAuthority(t, Options{}).limiter
	note := func(subjects []limitKey) bool {
		try, err := a.reserve(t.Context(), subjects)
		if err != nil {
			return false
		}
		try.settle(func(s limitKey, known *bucket) { known.clearsAt, known.failedAt = a.now()+s.limit.window, a.now() })
		return true
	}
	if !note(a.keysFor("192.0.2.1", "ann@example.com")) {
		t.Fatal("the first is not taken")
	}
	before := heap()
	for n := range 1_000_000 {
		address := fmt.Sprintf("10.0.%d.%d", n%10_000/250, n%250)
		note([]limitKey{a.limitKey(a.accounts, "account", address, strconv.Itoa(n))})
		if n%10_000 == 0 && note(a.keysFor("192.0.2.1", "ann@example.com")) {
			t.Fatalf("after %d names: a try more", n)
		}
	}
	got := heap() - before
	t.Logf("%d things are remembered in %.1f MiB", a.buckets.Len(), float64(got)/(1<<20))
	if got > 16<<20 || a.buckets.Len() != maxBuckets {
		t.Errorf("%d bytes, %d things", got, a.buckets.Len())
	}
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestRefusedLeavesNoTrace: what is refused is not remembered, so that nobody washes out counts by going on.
func TestRefusedLeavesNoTrace(t *testing.T) {
	a := newAuthority(t, Options{Params: cheap, NetworkAttempts: 2})
	register(t, a, "ann@example.com")
	for n := range 100 {
		_, _ = a.try(t, fmt.Sprintf("nobody%d@example.com", n), "wrong-1", "192.0.2.1")
	}
	if got := a.limiter.buckets.Len(); got != 3 {
		t.Errorf("%d things are remembered", got)
	}
	if _, err := a.try(t, "ann@example.com", "secret1", "192.0.2.2"); err != nil || a.limiter.buckets.Len() != 3 {
		t.Errorf("after a right one %d, %v", a.limiter.buckets.Len(), err)
	}
}

// TestPurgeAttempts: the store keeps no more than the memory does, and nothing that no longer counts.
func TestPurgeAttempts(t *testing.T) {
	a := newAuthority(t, Options{})
	var counts []models.Failures
	for n := range 20 {
		counts = append(counts, models.Failures{Key: fmt.Appendf(nil, "%016d", n), FailedAt: int64(100 + n),
			ClearsAt: int64(200_000 + 10_000*n)})
	}
	if err := a.store.RecordFailures(t.Context(), counts, func(models.Failures) {}); err != nil {
		t.Fatal(err)
	}
	if err := a.store.PurgeFailures(t.Context(), 210, 5); err != nil {
		t.Fatal(err)
	}
	var left []int64
	err := a.store.Failures(t.Context(), 0, 100, func(m models.Failures) { left = append(left, m.FailedAt) })
	if err != nil || !slices.Equal(left, []int64{114, 115, 116, 117, 118, 119}) {
		t.Errorf("%v, %v", left, err)
	}
}

// FuzzNetworkOf: an address has one network, and its network is its own.
func FuzzNetworkOf(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "::1", "fe80::1%eth0", "2001:db8::1", "::ffff:10.0.0.1", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		network := networkOf(address)
		if len(network) > 40 {
			t.Errorf("%q is of %q", address, network)
		}
	})
}
