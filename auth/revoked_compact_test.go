package auth

import (
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// singles returns how many single revocations and exceptions are in memory.
func (s *revokedSet) singles() (single, except int) {
	for i := range s.shards {
		single += len(s.shards[i].single)
		for _, through := range s.shards[i].through {
			except += len(through.except)
		}
	}
	return single, except
}

// loops are the ways in which one account revokes tokens in a loop. Each step returns a new token
// and the identity for the next step.
func loops() map[string]func(*testing.T, *Authority, Issued) Issued {
	return map[string]func(*testing.T, *Authority, Issued) Issued{
		"logins": func(t *testing.T, a *Authority, from Issued) Issued {
			t.Helper()
			issued, err := a.IssueFor(t.Context(), IssueRequest{UID: from.Identity.UID})
			must(t, err)
			return issued
		},
		"renewals": func(t *testing.T, a *Authority, from Issued) Issued {
			t.Helper()
			issued, err := a.Renew(t.Context(), from.Identity, Client{})
			must(t, err)
			time.Sleep(Overlap / 6) // so that the limit is never reached
			return issued
		},
		"service tokens": func(t *testing.T, a *Authority, from Issued) Issued {
			t.Helper()
			r := ServiceRequest{Label: "loop", Lifetime: 180 * 24 * 3600}
			issued, err := a.IssueService(t.Context(), from.Identity, r)
			must(t, err)
			must(t, a.Revoke(t.Context(), issued.Identity.TokenID, "test"))
			return from
		},
	}
}

// TestRevocationsAreBounded: however many tokens one account revokes in a loop, only as many
// revocations as it may have valid tokens stay in memory after the next sweep, in this process, in
// another one and after a restart. The revoked tokens stay rejected, the valid ones valid.
func TestRevocationsAreBounded(t *testing.T) {
	for name, step := range loops() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time the disk is waited for
			frozen(t, func(t *testing.T) { t.Helper(); testRevocationsAreBounded(t, step) })
		})
	}
}

func testRevocationsAreBounded(t *testing.T, step func(*testing.T, *Authority, Issued) Issued) {
	const maxTokens = 10
	here, there, again := newPair(t, Options{MaxTokens: maxTokens, Lag: 24 * time.Hour})
	user := register(t, here, "ann@example.com")
	first, err := here.IssueFor(t.Context(), IssueRequest{UID: user.ID})
	must(t, err)
	service, err := here.IssueService(t.Context(), first.Identity,
		ServiceRequest{Label: "CI", Lifetime: 24 * 3600})
	must(t, err)
	newest, issued := first, []Issued{first, service}
	for i := range maxSingle + 100 {
		newest = step(t, here, newest)
		issued = append(issued, newest)
		if i%500 == 0 {
			time.Sleep(time.Minute)
		}
	}
	must(t, there.follower.refresh(t.Context()))
	time.Sleep(Overlap) // renewed tokens are revoked by now
	must(t, here.maintenance.compact(t.Context()))
	must(t, there.maintenance.compact(t.Context()))
	for name, a := range map[string]*Authority{"here": here, "there": there, "restarted": again()} {
		if single, except := a.revoked.singles(); single > maxTokens || except > maxTokens {
			t.Errorf("%s: %d revocations and %d exceptions in memory", name, single, except)
		}
		checkAgainstStore(t, a, name, issued)
	}
	next := step(t, here, newest)
	mustVerify(t, here, "the next token", next.Token)
	mustVerify(t, here, "the service token of before", service.Token)
	must(t, here.RevokeAll(t.Context(), user.ID, "test"))
	for _, i := range append(issued, next) {
		mustReject(t, here, "after RevokeAll", i.Token, wire.ErrTokenInvalid)
	}
}

// checkAgainstStore requires that exactly those tokens are valid that are live in the store.
func checkAgainstStore(t *testing.T, a *Authority, name string, issued []Issued) {
	t.Helper()
	tokens, err := a.Tokens(t.Context(),
		models.TokenFilter{UID: issued[0].Identity.UID, Limit: len(issued)})
	must(t, err)
	for _, i := range issued {
		live := slices.ContainsFunc(tokens,
			func(t models.Token) bool { return t.ID == i.Identity.TokenID })
		if _, err := a.Verify(i.Token); live != (err == nil) {
			t.Fatalf("%s: %s is live: %t, but %v", name, i.Identity.TokenID, live, err)
		}
	}
}

// TestUnion: the union of two covers covers what one of them covers, and nothing else.
func TestUnion(t *testing.T) {
	const orders = 8
	for _, pair := range [][2]revokedThrough{
		{{}, {order: 5, except: []int64{2, 4}}},
		{{order: 3, except: []int64{1, 2}}, {order: 7, except: []int64{2, 3, 6}}},
		{{order: 7, except: []int64{6}}, {order: 5}},
		{{order: 7, except: []int64{1, 6}}, {order: 7, except: []int64{1, 2}}},
	} {
		for _, union := range []revokedThrough{pair[0].union(pair[1]), pair[1].union(pair[0])} {
			for order := int64(1); order <= orders; order++ {
				want := pair[0].covers(order) || pair[1].covers(order)
				if union.covers(order) != want {
					t.Errorf("%+v: %d covered: %t, want %t", pair, order, !want, want)
				}
			}
		}
	}
}

// TestServiceTokenLimit: the error of a service token beyond the limit says the limit, and the
// option counts.
func TestServiceTokenLimit(t *testing.T) {
	a := newAuthority(t, Options{MaxTokens: 2})
	register(t, a, "ann@example.com")
	from := mustLogin(t, a, "ann@example.com")
	r := ServiceRequest{Label: "CI", Lifetime: 60}
	_, err := a.IssueService(t.Context(), from.Identity, r)
	must(t, err)
	_, err = a.IssueService(t.Context(), from.Identity, r)
	if !errors.Is(err, TokenLimitError{2}) {
		t.Errorf("%v, want a TokenLimitError of 2", err)
	}
	mustLogin(t, a, "ann@example.com")
	mustReject(t, a, "the first login", from.Token, errRevoked)
	if err := (Options{MaxTokens: 1}).Validate(); err == nil {
		t.Error("a limit of 1 is accepted")
	}
}
