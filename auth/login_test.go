package auth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/models"
)

func TestLogin(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "Ann@Example.com")
	register(t, a, "+8613800000000")
	must(t, a.Change(t.Context(), register(t, a, "off@example.com").ID, Change{State: new(models.Disabled)}))
	tests := []struct {
		name, account, password string
		clientType              models.ClientType
		want                    error
	}{
		{"OK", "Ann@Example.com", "secret1", models.EMail, nil},
		{"OK/another spelling", "aNN@eXAMPLE.COM", "secret1", models.EMail, nil},
		{"OK/mobile without plus", "8613800000000", "secret1", models.Mobile, nil},
		{"ErrUnknownAccount", "bob@example.com", "secret1", models.EMail, ErrUnknownAccount},
		{"ErrUnknownAccount/type", "ann@example.com", "secret1", models.Mobile, ErrUnknownAccount},
		{"ErrWrongPassword", "ann@example.com", "secret2", models.EMail, ErrWrongPassword},
		{"ErrWrongPassword/space", "ann@example.com", "secret1 ", models.EMail, ErrWrongPassword},
		{"ErrWrongPassword/disabled", "off@example.com", "secret1", models.EMail, ErrWrongPassword},
		{"ErrClientType", "ann@example.com", "secret1", models.MiniProgram, ErrClientType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			issued, err := a.Login(t.Context(),
				Login{Account: test.account, Password: test.password, ClientType: test.clientType})
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if _, verify := a.Verify(issued.Token); (verify == nil) != (test.want == nil) {
				t.Errorf("token %q: %v", issued.Token, verify)
			}
		})
	}
}

// TestLoginRacesChange: a login with the old password during a change of the password yields no
// token that stays valid after the change.
func TestLoginRacesChange(t *testing.T) { frozen(t, testLoginRacesChange) }

func testLoginRacesChange(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	password := func(round int) string { return fmt.Sprintf("secret%d", round+1) }
	for round := range 10 {
		var wait sync.WaitGroup
		tokens := make(chan string, 4)
		for range cap(tokens) {
			wait.Go(func() {
				if issued, err := login(a, user.Account, password(round)); err == nil {
					tokens <- issued.Token
				}
			})
		}
		must(t, a.SetPassword(t.Context(), user.ID, password(round+1)))
		wait.Wait()
		close(tokens)
		for token := range tokens {
			mustReject(t, a, "a token of the old password", token, errRevoked)
		}
		after, err := login(a, user.Account, password(round+1))
		must(t, err)
		mustVerify(t, a, "a token of the new password", after.Token)
	}
}

// TestNoOracle: the number of hashes of a rejected login does not reveal whether its account
// exists.
func TestNoOracle(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	must(t, a.Change(t.Context(), register(t, a, "off@example.com").ID, Change{State: new(models.Disabled)}))
	accounts := map[string]string{"known": "ann@example.com", "disabled": "off@example.com",
		"unknown": "bob@example.com", "malformed": "x", "mobile number": "13800000000"}
	passwords := map[string]struct {
		text   string
		hashes int64
	}{"wrong": {"secret2", 1}, "empty": {"", 0}, "too long": {strings.Repeat("x", MaxPassword+1), 0},
		"not Unicode": {"\xff\xfe", 1}}
	for account := range accounts {
		for name, password := range passwords {
			before := a.hasher.made.Load()
			if _, err := login(a, accounts[account], password.text); err == nil {
				t.Errorf("%s account, %s password: accepted", account, name)
			}
			if got := a.hasher.made.Load() - before; got != password.hashes {
				t.Errorf("%s account, %s password: %d hashes, want %d", account, name, got,
					password.hashes)
			}
		}
	}
	before := a.hasher.made.Load()
	_, err := login(a, "off@example.com", "secret1")
	if got := a.hasher.made.Load() - before; err == nil || got != 1 {
		t.Errorf("disabled account, right password: %v after %d hashes, want 1", err, got)
	}
}

// TestNoOracleAfterChange: after the parameters of argon2 were raised or lowered, a rejected login
// computes the same hashes whether its account exists, and whether its hash is older. Hashes that
// another process made count from the first on that this one meets.
func TestNoOracleAfterChange(t *testing.T) {
	cheap, dear := cheap(), Params{minMemoryKiB, 2, 1}
	for name, params := range map[string][2]Params{
		"raised": {cheap, dear}, "lowered": {dear, cheap}, "the same": {dear, dear},
	} {
		dir, key := newDirectory(t)
		before := openAuthority(t, dir, key, Options{Params: params[0]})
		register(t, before, "old@example.com")
		off := register(t, before, "off@example.com").ID
		must(t, before.Change(t.Context(), off, Change{State: new(models.Disabled)}))
		after := openAuthority(t, dir, key, Options{Params: params[1]})
		register(t, after, "new@example.com")
		if _, err := login(before, "new@example.com", "wrong-1"); err == nil {
			t.Fatal("accepted")
		}
		for process, a := range map[string]*Authority{"before": before, "after": after} {
			want := hashesOf(a, "nobody@example.com", "wrong-1")
			for account, password := range map[string]string{"old@example.com": "wrong-1",
				"new@example.com": "wrong-1", "off@example.com": "secret1", "x": "wrong-1"} {
				if got := hashesOf(a, account, password); !slices.Equal(got, want) {
					t.Errorf("%s, process %s the change, %s: hashes %v, of an unknown account %v", name,
						process, account, got, want)
				}
			}
		}
	}
}

// hashesOf logs in and returns the parameters of the hashes that were computed, sorted.
func hashesOf(a *Authority, account, password string) (hashes []Params) {
	a.hasher.onHash = func(p Params) { hashes = append(hashes, p) }
	defer func() { a.hasher.onHash = nil }()
	_, _ = login(a, account, password)
	slices.SortFunc(hashes, func(p, q Params) int { return cmp.Compare(p.Time, q.Time) })
	return hashes
}

// TestRehash: a login replaces a hash that has other parameters. The user's tokens stay valid.
func TestRehash(t *testing.T) {
	dir, key := newDirectory(t)
	before := openAuthority(t, dir, key, Options{})
	register(t, before, "ann@example.com")
	a := openAuthority(t, dir, key, Options{Params: Params{minMemoryKiB, 2, 1}})
	old := mustLogin(t, before, "ann@example.com")
	token := mustLogin(t, a, "ann@example.com").Token
	found, err := a.store.Credentials(t.Context(), "ann@example.com")
	if err != nil || a.hasher.outdated(found.PasswordHash) {
		t.Errorf("the hash was not replaced: %v", err)
	}
	must(t, a.follower.refresh(t.Context()))
	mustVerify(t, a, "the token of the login", token)
	mustVerify(t, a, "an earlier token", old.Token)
}
