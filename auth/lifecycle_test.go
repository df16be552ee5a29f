package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/models/postgrestest"
)

// inTime runs a test on a clock of its own that it moves by time.Sleep, in the year 2003: tokens can be
// issued from 2001 on.
func inTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if postgrestest.Asked() {
		t.Skip("with SQLite only: the clock does not move while somebody waits for a network")
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(3 * 365 * 24 * time.Hour)
		test(t)
	})
}

// follow runs Follow until the test ends or stop is called.
func follow(t *testing.T, a *Authority) (stop func()) {
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

func mustVerify(t *testing.T, a *Authority, what, token string) {
	t.Helper()
	if _, err := a.Verify(token); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func mustRefuse(t *testing.T, a *Authority, what, token string, want error) {
	t.Helper()
	if _, err := a.Verify(token); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// TestRenew: the old token works 30 seconds longer, the new one begins a full lifetime, and the chain ends
// with the session.
func TestRenew(t *testing.T) {
	inTime(t, func(t *testing.T) {
		a := newAuthority(t, Options{TokenTTL: 2 * time.Hour, MaxSession: 5 * time.Hour})
		follow(t, a)
		register(t, a, "ann@example.com")
		first := mustLogin(t, a, "ann@example.com")
		time.Sleep(time.Hour)
		second, err := a.Renew(t.Context(), first.Identity, Client{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		mustVerify(t, a, "the old token after 29 s", first.Token)
		mustVerify(t, a, "the old token after 29 s in another process", first.Token)
		if _, err := a.Renew(t.Context(), first.Identity, Client{}); err != nil {
			t.Errorf("a parallel client renews the old token too: %v", err)
		}
		time.Sleep(time.Second)
		mustRefuse(t, a, "the old token after 30 s", first.Token, errRevoked)
		if _, err := a.Renew(t.Context(), first.Identity, Client{}); !errors.Is(err, errRevoked) {
			t.Errorf("renewing the old token after 30 s: %v", err)
		}
		if left := second.Identity.ExpiresAt - time.Now().Unix(); left != 7200-30 {
			t.Errorf("the new token has %d s left", left)
		}
		ends := first.Identity.TokenID.IssuedAt + 5*3600
		for token := second; time.Now().Unix() < ends; time.Sleep(time.Hour) {
			if token, err = a.Renew(t.Context(), token.Identity, Client{}); err != nil {
				t.Fatal(err)
			}
			if token.Identity.ExpiresAt > ends {
				t.Fatalf("a token lives %d s beyond its session", token.Identity.ExpiresAt-ends)
			}
		}
	})
}

// TestOverlapTravels: in another process and after a restart the old token ends at the same second.
func TestOverlapTravels(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
		follow(t, there)
		register(t, here, "ann@example.com")
		old := mustLogin(t, here, "ann@example.com")
		if _, err := here.Renew(t.Context(), old.Identity, Client{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		again := openAuthority(t, dir, secret, Options{})
		mustVerify(t, there, "another process after 29 s", old.Token)
		mustVerify(t, again, "restarted after 29 s", old.Token)
		time.Sleep(time.Second)
		mustRefuse(t, there, "another process after 30 s", old.Token, errRevoked)
		mustRefuse(t, again, "restarted after 30 s", old.Token, errRevoked)
		mustRefuse(t, openAuthority(t, dir, secret, Options{}), "restarted later", old.Token, errRevoked)
	})
}

// TestEndDuringOverlap: a token that is about to end can be ended at once.
func TestEndDuringOverlap(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	old := mustLogin(t, a, "ann@example.com")
	if _, err := a.Renew(t.Context(), old.Identity, Client{}); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, a, "the old token", old.Token)
	if err := a.Revoke(t.Context(), old.Identity.TokenID, "test"); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, a, "the old token, ended", old.Token, errRevoked)
}

// TestRenewAtOnce: of many renewals of one token at once each gets a token of its own, and ending the old one
// meanwhile leaves nobody with a token from after its end.
func TestRenewAtOnce(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	old := mustLogin(t, a, "ann@example.com")
	var wait sync.WaitGroup
	tokens := make(chan Issued, 8)
	for range cap(tokens) {
		wait.Go(func() {
			issued, err := a.Renew(context.Background(), old.Identity, Client{})
			if err != nil {
				t.Error(err)
			}
			tokens <- issued
		})
	}
	wait.Wait()
	close(tokens)
	seen := map[string]bool{}
	for issued := range tokens {
		mustVerify(t, a, "a renewed token", issued.Token)
		seen[issued.Token] = true
	}
	if len(seen) != cap(tokens) {
		t.Errorf("%d different tokens of %d renewals", len(seen), cap(tokens))
	}
}

// TestEndWhileRenewing: once every token of the user is ended, no renewal that was under way has left one alive.
func TestEndWhileRenewing(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	for range 20 {
		old := mustLogin(t, a, user.Account)
		var wait sync.WaitGroup
		tokens := make(chan string, 4)
		for range cap(tokens) {
			wait.Go(func() {
				issued, err := a.Renew(context.Background(), old.Identity, Client{})
				if err == nil {
					tokens <- issued.Token
				} else if !errors.Is(err, wire.ErrTokenInvalid) {
					t.Error(err)
				}
			})
		}
		if err := a.RevokeAll(t.Context(), user.ID, "test"); err != nil {
			t.Fatal(err)
		}
		wait.Wait()
		close(tokens)
		for token := range tokens {
			mustRefuse(t, a, "a token renewed while all were ended", token, errRevoked)
		}
	}
}

// TestServiceTokens: what may be asked for, and what is given.
func TestServiceTokens(t *testing.T) {
	a := newAuthority(t, Options{Scopes: []string{"read"}, MaxTokenTTL: 100 * time.Hour})
	user := register(t, a, "ann@example.com")
	login := mustLogin(t, a, user.Account)
	const most = 100 * 3600
	tests := []struct {
		name string
		r    ServiceRequest
		want string // of the error
	}{
		{"OK/named scope", ServiceRequest{Label: "CI", Scope: "read", Lifetime: 3600}, ""},
		{"OK/no scope", ServiceRequest{Label: "CI", Lifetime: most}, ""},
		{"Invalid/no label, no such scope", ServiceRequest{Scope: "write", Lifetime: 1},
			"label: This field is required.; scope: This scope does not exist."},
		{"Invalid/more than the owner", ServiceRequest{Label: "CI", Scope: "AdminScope", Lifetime: 1},
			"scope: Your own token does not include this scope."},
		{"Invalid/too long", ServiceRequest{Label: "CI", Lifetime: most + 1},
			"lifetime: This must be a number of seconds from 1 to 360000."},
		{"Invalid/no time", ServiceRequest{Label: "CI", Lifetime: 0},
			"lifetime: This must be a number of seconds from 1 to 360000."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			issued, err := a.IssueService(t.Context(), login.Identity, test.r)
			if err != nil || test.want != "" {
				if err == nil || err.Error() != test.want {
					t.Errorf("got  %v\nwant %s", err, test.want)
				}
				return
			}
			mustVerify(t, a, "the token", issued.Token)
			if left := issued.Identity.ExpiresAt - issued.Identity.TokenID.IssuedAt; left != test.r.Lifetime {
				t.Errorf("a lifetime of %d s", left)
			}
			if _, err := a.IssueService(t.Context(), issued.Identity, test.r); !errors.Is(err, ErrLoginTokenRequired) {
				t.Errorf("a service's token makes another: %v", err)
			}
			if _, err := a.Renew(t.Context(), issued.Identity, Client{}); !errors.Is(err, ErrLoginTokenRequired) {
				t.Errorf("a service's token is renewed: %v", err)
			}
		})
	}
	if err := a.SetPassword(t.Context(), user.ID, "secret2"); err != nil {
		t.Fatal(err)
	}
	if tokens, err := a.Tokens(t.Context(), models.TokenFilter{UID: user.ID, Limit: 9}); err != nil || len(tokens) > 0 {
		t.Errorf("live after a change of the secret: %v, %v", tokens, err)
	}
}

// TestLastUse: it is known at once here, in the store after the interval, and after a stop.
func TestLastUse(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		a := openAuthority(t, dir, secret, Options{})
		stop := follow(t, a)
		user := register(t, a, "ann@example.com")
		token := mustLogin(t, a, user.Account)
		used := func(a *Authority) int64 {
			t.Helper()
			tokens, err := a.Tokens(t.Context(), models.TokenFilter{UID: user.ID, Limit: 9})
			if err != nil || len(tokens) != 1 {
				t.Fatalf("%v, %v", tokens, err)
			}
			return tokens[0].UsedAt
		}
		elsewhere := openAuthority(t, dir, secret, Options{})
		if got := used(a); got != 0 {
			t.Errorf("never used: %d", got)
		}
		time.Sleep(time.Minute)
		mustVerify(t, a, "the token", token.Token)
		first := time.Now().Unix()
		if got := used(a); got != first {
			t.Errorf("here: %d, want %d", got, first)
		}
		time.Sleep(flushEvery + time.Second)
		if got := used(elsewhere); got != first {
			t.Errorf("elsewhere, after the interval: %d, want %d", got, first)
		}
		mustVerify(t, a, "the token", token.Token)
		last := time.Now().Unix()
		stop()
		if got := used(elsewhere); got != last {
			t.Errorf("elsewhere, after a stop: %d, want %d", got, last)
		}
	})
}

// TestUseIsNotLost: what the store does not take is kept.
func TestUseIsNotLost(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	token := mustLogin(t, a, "ann@example.com")
	mustVerify(t, a, "the token", token.Token)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.used.flush(t.Context(), a.store); err == nil {
		t.Error("a closed store took it")
	}
	if a.used.last(token.Identity.TokenID, 0) == 0 {
		t.Error("the use is forgotten")
	}
}

// TestRotation: by itself when due; no token is refused for it; the old key goes when its last token has.
func TestRotation(t *testing.T) {
	inTime(t, func(t *testing.T) {
		a := newAuthority(t, Options{KeyRotation: 4 * time.Hour, TokenTTL: time.Hour, Lag: 10 * time.Second})
		follow(t, a)
		register(t, a, "ann@example.com")
		states := func() string {
			keys, err := a.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var s strings.Builder
			for _, k := range keys {
				fmt.Fprintf(&s, "%d %s %d, ", k.ID, k.State, k.Use.Tokens)
			}
			return s.String()
		}
		old := mustLogin(t, a, "ann@example.com")
		if got := states(); got != "1 signs 1, " {
			t.Errorf("at first: %s", got)
		}
		time.Sleep(4*time.Hour + 5*time.Second)
		mustRefuse(t, a, "the first token", old.Token, wire.ErrTokenExpired)
		old = mustLogin(t, a, "ann@example.com")
		if got := states(); got != "2 waits 0, 1 signs 1, " {
			t.Errorf("when due: %s", got)
		}
		time.Sleep(time.Minute)
		mustVerify(t, a, "a token of the old key", old.Token)
		mustVerify(t, a, "a token of the new key", mustLogin(t, a, "ann@example.com").Token)
		if got := states(); got != "2 signs 1, 1 verifies 1, " {
			t.Errorf("after the delay: %s", got)
		}
		time.Sleep(3*time.Hour + 30*time.Minute)
		if got := states(); got != "2 signs 0, " {
			t.Errorf("when nothing depends on the old key: %s", got)
		}
	})
}

// TestRetire: tokens of a leaked key are refused at once here, soon elsewhere, and after a restart.
func TestRetire(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
		follow(t, there)
		register(t, here, "ann@example.com")
		old := mustLogin(t, here, "ann@example.com")
		mustVerify(t, there, "elsewhere, before", old.Token)
		if err := here.RetireKey(t.Context(), 1, false); !errors.Is(err, ErrKeyInUse) {
			t.Errorf("a key in use: %v", err)
		}
		if err := here.RetireKey(t.Context(), 7, true); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("no such key: %v", err)
		}
		if err := here.RetireKey(t.Context(), 1, true); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, here, "here", old.Token, errSignature)
		// Whoever has not seen it yet cannot acknowledge a token of the retired key.
		fresh := mustLogin(t, there, "ann@example.com")
		mustVerify(t, here, "a token issued elsewhere right after", fresh.Token)
		time.Sleep(250 * time.Millisecond)
		mustRefuse(t, there, "elsewhere", old.Token, errSignature)
		again := openAuthority(t, dir, secret, Options{})
		mustRefuse(t, again, "after a restart", old.Token, errSignature)
		mustVerify(t, again, "the new token after a restart", fresh.Token)
	})
}

// TestReseal: tokens stay valid, running servers follow, and it may be cut short at any point.
func TestReseal(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "secret")
		secret, err := CreateMasterKey(path)
		if err != nil {
			t.Fatal(err)
		}
		here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
		follow(t, there)
		register(t, here, "ann@example.com")
		token := mustLogin(t, here, "ann@example.com").Token
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Reseal(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil || string(after) == string(before) {
			t.Fatalf("the secret is the same: %v", err)
		}
		if _, err := os.Stat(pendingMasterKey(path)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the new secret lies beside: %v", err)
		}
		time.Sleep(time.Second)
		mustVerify(t, there, "a server that follows", token)
		if _, err := there.RotateKey(t.Context()); err != nil {
			t.Errorf("a server that follows makes a key: %v", err)
		}
		reopen := func(what string) {
			t.Helper()
			secret, err := LoadMasterKey(path)
			if err != nil {
				t.Fatal(err)
			}
			mustVerify(t, openAuthority(t, dir, secret, Options{}), what, token)
		}
		reopen("after a restart")
		// Cut short between the commit and the new secret's taking its place.
		if err := os.Rename(path, pendingMasterKey(path)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		reopen("cut short after the commit")
		if now, err := os.ReadFile(path); err != nil || string(now) != string(after) {
			t.Errorf("the new secret was not put in its place: %v", err)
		}
		// Cut short before the commit: a secret that seals nothing lies there.
		if _, err := CreateMasterKey(pendingMasterKey(path)); err != nil {
			t.Fatal(err)
		}
		reopen("cut short before the commit")
	})
}

// TestStaleSecretMakesNoKey: a process that has not seen a new secret yet makes no key that nobody could open.
func TestStaleSecretMakesNoKey(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
	register(t, here, "ann@example.com")
	if err := here.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := there.RotateKey(t.Context()); !errors.Is(err, models.ErrChanged) {
		t.Errorf("rotate: %v", err)
	}
	if err := there.RetireKey(t.Context(), 1, true); !errors.Is(err, models.ErrChanged) {
		t.Errorf("retire: %v", err)
	}
	if err := there.Reseal(t.Context()); err == nil {
		t.Error("resealed with a secret that is none")
	}
	if err := there.follower.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := there.RotateKey(t.Context()); err != nil {
		t.Errorf("after catching up: %v", err)
	}
}

// TestEndedWhileClockIsAhead: what was ended while the clock stood ahead stays ended when it is put right, here, in
// a process that started meanwhile, and after a restart.
func TestEndedWhileClockIsAhead(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		a := openAuthority(t, dir, secret, Options{})
		one, two, three := register(t, a, "a@b.cn"), register(t, a, "b@b.cn"), register(t, a, "c@b.cn")
		tokens := []Issued{mustLogin(t, a, one.Account), mustLogin(t, a, two.Account), mustLogin(t, a, three.Account)}
		right := time.Now().Unix()
		time.Sleep(3 * time.Hour) // every token has expired by this clock
		if err := a.SetState(t.Context(), one.ID, models.Disabled); err != nil {
			t.Fatal(err)
		}
		if err := a.Delete(t.Context(), two.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.Revoke(t.Context(), tokens[2].Identity.TokenID, "test"); err != nil {
			t.Fatal(err)
		}
		a.maintenance.sweep()
		a.maintenance.purge(t.Context())
		for name, a := range map[string]*Authority{"here": a, "restarted": openAuthority(t, dir, secret, Options{})} {
			for i, token := range tokens {
				if !a.revoked.has(token.Identity.TokenID, right) {
					t.Errorf("%s: token %d is accepted again", name, i)
				}
			}
		}
	})
}

// TestStartWithClockAhead: a process that starts with its clock ten years ahead, or after ten years, and keeps running
// like that for a week, forgets nothing that is needed once the clock is put right; in time it forgets again.
func TestStartWithClockAhead(t *testing.T) {
	inTime(t, func(t *testing.T) {
		dir := t.TempDir()
		secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		a := openAuthority(t, dir, secret, Options{KeyRotation: time.Hour})
		one, two := register(t, a, "a@b.cn"), register(t, a, "b@b.cn")
		week := 7 * 24 * time.Hour
		var tokens []Issued
		for _, user := range []models.User{one, two} {
			issued, err := a.IssueFor(t.Context(), IssueRequest{UID: user.ID, TTL: week})
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, issued)
		}
		right := time.Now().Unix()
		if err := a.Revoke(t.Context(), tokens[0].Identity.TokenID, "test"); err != nil {
			t.Fatal(err)
		}
		if err := a.SetState(t.Context(), two.ID, models.Disabled); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * 365 * 24 * time.Hour)
		ahead := openAuthority(t, dir, secret, Options{KeyRotation: time.Hour})
		remembered := func(a *Authority) (n int) {
			for _, token := range tokens {
				if _, err := a.ring.authenticate(token.Token); err == nil && a.revoked.has(token.Identity.TokenID, right) {
					n++
				}
			}
			return n
		}
		for hour := range int(week / time.Hour) {
			if err := ahead.maintenance.rotateWhenDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			ahead.maintenance.sweep()
			ahead.maintenance.purge(t.Context())
			if here := remembered(ahead); here != len(tokens) {
				t.Fatalf("%d of %d are known to have ended after %d hours", here, len(tokens), hour)
			}
			time.Sleep(time.Hour)
		}
		if n := remembered(openAuthority(t, dir, secret, Options{})); n != len(tokens) {
			t.Errorf("%d of %d are known to have ended after a restart", n, len(tokens))
		}
		for range 3 * 24 {
			time.Sleep(time.Hour)
			ahead.maintenance.purge(t.Context())
			ahead.maintenance.sweep()
		}
		if n := remembered(ahead); n != 0 {
			t.Errorf("%d are remembered for ever", n)
		}
		if _, _, err := ahead.store.RevocationReason(t.Context(), tokens[0].Identity.TokenID); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("the store remembers: %v", err)
		}
	})
}
