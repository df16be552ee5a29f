package models

import (
	"slices"
	"testing"
)

// TestRevokedSummary: the summary covers the tokens before the last CloseOrders, except the live
// ones. A token that is issued later is not covered.
func TestRevokedSummary(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	one, two, three := newToken(t, s, u.ID), newToken(t, s, u.ID), newToken(t, s, u.ID)
	for _, token := range []Token{one, three} {
		if _, err := s.RevokeToken(t.Context(), token.ID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, through int64, except ...int64) {
		t.Helper()
		got, err := s.RevokedSummary(t.Context(), u.ID)
		if err != nil || got.Through != through || !slices.Equal(got.Except, except) {
			t.Errorf("%s: %+v, %v, want through %d except %v", what, got, err, through, except)
		}
	}
	closeOrders := func() {
		t.Helper()
		if err := s.CloseOrders(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
	}
	check("before", 0)
	closeOrders()
	check("closed", three.ID.Order(), two.ID.Order())
	four := newToken(t, s, u.ID)
	if four.ID.Order() <= three.ID.Order() {
		t.Errorf("%s was issued after %s", four.ID, three.ID)
	}
	check("another token", three.ID.Order(), two.ID.Order())
	closeOrders()
	check("closed again", four.ID.Order(), two.ID.Order(), four.ID.Order())
	if _, err := s.DeleteUser(t.Context(), u.ID, "test"); err != nil {
		t.Fatal(err)
	}
	closeOrders()
	check("deleted", 0)
}
