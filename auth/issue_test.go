package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// TestRenew: the old token stays valid for 30 seconds, the new one has a full lifetime, and no
// renewal exceeds the session.
func TestRenew(t *testing.T) { frozen(t, testRenew) }

func testRenew(t *testing.T) {
	const ttl, session = 2 * time.Hour, 5 * time.Hour
	a := newAuthority(t, Options{TokenTTL: ttl, MaxSession: session, Lag: 24 * time.Hour})
	register(t, a, "ann@example.com")
	first := mustLogin(t, a, "ann@example.com")
	time.Sleep(time.Hour)
	second, err := a.Renew(t.Context(), first.Identity, Client{})
	must(t, err)
	time.Sleep(Overlap - time.Second)
	mustVerify(t, a, "the old token after 29 s", first.Token)
	if _, err := a.Renew(t.Context(), first.Identity, Client{}); err != nil {
		t.Errorf("another client renews the old token after 29 s: %v", err)
	}
	time.Sleep(time.Second)
	mustReject(t, a, "the old token after 30 s", first.Token, errRevoked)
	if _, err := a.Renew(t.Context(), first.Identity, Client{}); !errors.Is(err, errRevoked) {
		t.Errorf("renewing the old token after 30 s: %v, want errRevoked", err)
	}
	left := time.Until(time.Unix(second.Identity.ExpiresAt, 0))
	if left != ttl-Overlap {
		t.Errorf("the new token is valid for %s more, want %s", left, ttl-Overlap)
	}
	end := first.Identity.TokenID.IssuedAt + int64(session/time.Second)
	for token := second; time.Now().Unix() < end; time.Sleep(time.Hour) {
		token, err = a.Renew(t.Context(), token.Identity, Client{})
		must(t, err)
		if token.Identity.ExpiresAt > end {
			t.Fatalf("a token exceeds its session by %d s", token.Identity.ExpiresAt-end)
		}
	}
}

// TestOverlapTravels: a renewed token is rejected from the same second on in another process and
// after a restart.
func TestOverlapTravels(t *testing.T) { frozen(t, testOverlapTravels) }

func testOverlapTravels(t *testing.T) {
	here, there, again := newPair(t, Options{})
	register(t, here, "ann@example.com")
	old := mustLogin(t, here, "ann@example.com")
	_, err := here.Renew(t.Context(), old.Identity, Client{})
	must(t, err)
	must(t, there.follower.refresh(t.Context()))
	time.Sleep(Overlap - time.Second)
	restarted := again()
	mustVerify(t, there, "another process after 29 s", old.Token)
	mustVerify(t, restarted, "restarted after 29 s", old.Token)
	time.Sleep(time.Second)
	mustReject(t, there, "another process after 30 s", old.Token, errRevoked)
	mustReject(t, restarted, "restarted after 29 s, after 30 s", old.Token, errRevoked)
	mustReject(t, again(), "restarted after 30 s", old.Token, errRevoked)
}

// TestParallelRenewals: each of several renewals of one token yields a token of its own.
func TestParallelRenewals(t *testing.T) { frozen(t, testParallelRenewals) }

func testParallelRenewals(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	old := mustLogin(t, a, "ann@example.com")
	var wait sync.WaitGroup
	tokens := make(chan string, 8)
	for range cap(tokens) {
		wait.Go(func() {
			issued, err := a.Renew(context.Background(), old.Identity, Client{})
			if err != nil {
				t.Error(err)
			}
			tokens <- issued.Token
		})
	}
	wait.Wait()
	close(tokens)
	different := map[string]bool{}
	for token := range tokens {
		mustVerify(t, a, "a renewed token", token)
		different[token] = true
	}
	if len(different) != cap(tokens) {
		t.Errorf("%d different tokens of %d renewals", len(different), cap(tokens))
	}
}

// TestRenewRacesRevokeAll: once all tokens of a user are revoked, no renewal that was in progress
// has left a valid one.
func TestRenewRacesRevokeAll(t *testing.T) { frozen(t, testRenewRacesRevokeAll) }

func testRenewRacesRevokeAll(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	for range 20 {
		old, err := a.IssueFor(t.Context(), IssueRequest{UID: user.ID})
		must(t, err)
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
		must(t, a.RevokeAll(t.Context(), user.ID, "test"))
		wait.Wait()
		close(tokens)
		for token := range tokens {
			mustReject(t, a, "a token renewed during RevokeAll", token, errRevoked)
		}
	}
}

// TestServiceTokens: which service tokens can be issued, and what they permit.
func TestServiceTokens(t *testing.T) {
	const maxLifetime = 360_000 // seconds
	a := newAuthority(t, Options{Scopes: []string{"read"}, MaxTokenTTL: maxLifetime * time.Second})
	user := register(t, a, "ann@example.com")
	login := mustLogin(t, a, user.Account)
	const outOfRange = "lifetime: This must be a number of seconds from 1 to 360000."
	tests := []struct {
		name string
		r    ServiceRequest
		want string // of the error
	}{
		{"OK/named scope", ServiceRequest{Label: "CI", Scope: "read", Lifetime: 3600}, ""},
		{"OK/no scope", ServiceRequest{Label: "CI", Lifetime: maxLifetime}, ""},
		{"Err/no label, unknown scope", ServiceRequest{Scope: "write", Lifetime: 1},
			"label: This field is required.; scope: This scope does not exist."},
		{"Err/wider scope", ServiceRequest{Label: "CI", Scope: "AdminScope", Lifetime: 1},
			"scope: Your own token does not include this scope."},
		{"Err/too long", ServiceRequest{Label: "CI", Lifetime: maxLifetime + 1}, outOfRange},
		{"Err/no lifetime", ServiceRequest{Label: "CI"}, outOfRange},
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
			i := issued.Identity
			if got := i.ExpiresAt - i.TokenID.IssuedAt; got != test.r.Lifetime {
				t.Errorf("a lifetime of %d s, want %d s", got, test.r.Lifetime)
			}
			_, err = a.IssueService(t.Context(), i, test.r)
			if !errors.Is(err, ErrLoginTokenRequired) {
				t.Errorf("a service token issues another: %v, want ErrLoginTokenRequired", err)
			}
			if _, err = a.Renew(t.Context(), i, Client{}); !errors.Is(err, ErrLoginTokenRequired) {
				t.Errorf("a service token is renewed: %v, want ErrLoginTokenRequired", err)
			}
		})
	}
	must(t, a.SetPassword(t.Context(), user.ID, "secret2"))
	tokens, err := a.Tokens(t.Context(), models.TokenFilter{UID: user.ID, Limit: 9})
	if err != nil || len(tokens) > 0 {
		t.Errorf("valid after a change of the password: %v, %v", tokens, err)
	}
}

// TestCheckKind: only a login token is a login. An identity of the bridge has no token, and a kind
// that nobody requires costs nothing.
func TestCheckKind(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	service, err := a.IssueFor(t.Context(), IssueRequest{UID: user.ID, TTL: time.Minute})
	must(t, err)
	login := mustLogin(t, a, "ann@example.com")
	for _, test := range []struct {
		name     string
		identity Identity
		kind     models.Kind
		want     error
	}{
		{"OK/login", login.Identity, models.LoginToken, nil},
		{"OK/service, any", service.Identity, models.AnyKind, nil},
		{"OK/bridge, any", bridgedIdentity(user, time.Now()), models.AnyKind, nil},
		{"Err/service", service.Identity, models.LoginToken, ErrLoginTokenRequired},
		{"Err/bridge", bridgedIdentity(user, time.Now()), models.LoginToken, ErrLoginTokenRequired},
		{"Err/not stored", Identity{TokenID: models.TokenID{UID: 9}}, models.LoginToken,
			wire.ErrTokenInvalid},
	} {
		if err := a.CheckKind(t.Context(), test.identity, test.kind); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	allocations := testing.AllocsPerRun(100, func() {
		_ = a.CheckKind(t.Context(), service.Identity, models.AnyKind)
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}
