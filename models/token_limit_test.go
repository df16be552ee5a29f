package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// live returns the ids of a user's live tokens, the oldest first.
func live(t testing.TB, s *Store, uid uint32) (ids []TokenID) {
	t.Helper()
	tokens, err := s.Tokens(context.Background(), TokenFilter{UID: uid, Limit: MaxLiveTokens})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		ids = append(ids, token.ID)
	}
	slices.Reverse(ids)
	return ids
}

// limited creates a token of a user who may have at most four.
func limited(s *Store, n NewToken) (Token, []Revocation, error) {
	n.ClientType, n.Scope, n.Lifetime, n.MaxLive = EMail, UserScope, lifetime, 4
	return s.CreateToken(context.Background(), n, signed)
}

// TestTokenLimit: at the limit a login takes the place of the oldest login token, a renewal that of
// its parent, and a service token is refused. One place is always left for a login.
func TestTokenLimit(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	create := func(n NewToken, revokes ...TokenID) TokenID {
		t.Helper()
		n.UID = u.ID
		token, revoked, err := limited(s, n)
		if err != nil {
			t.Fatal(err)
		}
		var ids []TokenID
		for _, r := range revoked {
			if !r.IsZero() && r.EndsAt == 0 {
				ids = append(ids, r.Through)
			}
		}
		if !slices.Equal(ids, revokes) {
			t.Errorf("%s revokes %v, want %v", token.ID, ids, revokes)
		}
		return token.ID
	}
	service := create(NewToken{Kind: ServiceToken})
	first := create(NewToken{Kind: LoginToken})
	second, third := create(NewToken{Kind: LoginToken}), create(NewToken{Kind: LoginToken})
	if _, _, err := limited(s, NewToken{UID: u.ID, Kind: ServiceToken}); !errors.Is(err, ErrTokenLimit) {
		t.Errorf("a service token at the limit: %v, want ErrTokenLimit", err)
	}
	fourth := create(NewToken{Kind: LoginToken}, first)
	renewed := create(NewToken{Kind: LoginToken, From: third, RevokeFromAfter: 30, LoginAt: now()}, third)
	copied := create(NewToken{Kind: LoginToken, From: fourth, LoginAt: now()}, second)
	want := []TokenID{service, fourth, renewed, copied}
	if got := live(t, s, u.ID); !slices.Equal(got, want) {
		t.Errorf("live: %v, want %v", got, want)
	}
	for _, id := range want[1:] {
		if _, err := s.RevokeToken(t.Context(), id, "test"); err != nil {
			t.Fatal(err)
		}
	}
	create(NewToken{Kind: ServiceToken})
	create(NewToken{Kind: ServiceToken})
	if _, _, err := limited(s, NewToken{UID: u.ID, Kind: ServiceToken}); !errors.Is(err, ErrTokenLimit) {
		t.Errorf("a service token in the login's place: %v, want ErrTokenLimit", err)
	}
	create(NewToken{Kind: LoginToken})
}

// TestTokenLimitInParallel: however many tokens are created at once, no more than the limit is live.
func TestTokenLimitInParallel(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 4 {
				kind := Kind(1 + i%2)
				_, _, err := limited(s, NewToken{UID: u.ID, Kind: kind})
				if err != nil && (kind == LoginToken || !errors.Is(err, ErrTokenLimit)) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(live(t, s, u.ID)); n != 4 {
		t.Errorf("%d live tokens, want 4", n)
	}
}

// TestTokenLimitLowered: where the limit was lowered, each login revokes at most maxRoom tokens
// more than one, login tokens before service tokens, until the limit is met.
func TestTokenLimitLowered(t *testing.T) { synctest.Test(t, testTokenLimitLowered) }

func testTokenLimitLowered(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	const logins, services = 250, 10
	err := s.inTransaction(t.Context(), func(tx *transaction) error {
		for i := range int64(logins + services) {
			token := Token{ID: TokenID{u.ID, now() - 300 + i, 0}, ExpiresAt: now() + 9999 - i,
				EndsAt: now() + 9999 - i, Kind: LoginToken, keyID: firstKey}
			if i < services {
				token.Kind = ServiceToken
			}
			if err := tx.insertToken(token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	total := logins + services
	for total > 4 {
		before := total
		total = max(before-maxRoom, 4)
		_, revoked, err := limited(s, NewToken{UID: u.ID, Kind: LoginToken})
		if err != nil || len(revoked) != before+1-total {
			t.Fatalf("of %d: %d revoked, %v", before, len(revoked), err)
		}
	}
	ids := live(t, s, u.ID)
	if len(ids) != 4 || ids[0].IssuedAt != now()-300+services-3 {
		t.Errorf("live: %v, want the newest three service tokens and a login", ids)
	}
	time.Sleep(time.Second)
}

// TestTokenLimitIsCheap: the queries at the limit read an index, so their cost does not grow with
// the tokens that were revoked.
func TestTokenLimitIsCheap(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	var plan strings.Builder
	err := s.all(t.Context(), `EXPLAIN QUERY PLAN SELECT issued_at, serial FROM tokens
		WHERE uid = $1 AND kind = $2 AND ends_at > $3 ORDER BY ends_at LIMIT $4`,
		[]any{1, 1, 1, 1}, func(scan scanFunc) error {
			var id, parent, unused int
			var detail string
			err := scan(&id, &parent, &unused, &detail)
			fmt.Fprintln(&plan, detail)
			return err
		})
	const want = "SEARCH tokens USING INDEX tokens_live (uid=? AND kind=? AND ends_at>?)\n"
	if err != nil || plan.String() != want {
		t.Errorf("%q, %v, want %q", plan.String(), err, want)
	}
}
