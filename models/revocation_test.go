package models

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// endings are those after a number.
func endings(t testing.TB, s *Store, seq int64) (found []Revocation) {
	t.Helper()
	_, err := s.Revocations(context.Background(), seq, 1<<60, func(e Revocation) { found = append(found, e) })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTokensAndEndings(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	one, two := newToken(t, s, u.ID), newToken(t, s, u.ID)
	if one.ID == two.ID || one.ID.Order() >= two.ID.Order() {
		t.Errorf("%s, then %s", one.ID, two.ID)
	}
	ending, err := s.RevokeToken(t.Context(), one.ID, "test")
	if err != nil || ending.Through != one.ID {
		t.Errorf("%+v, %v", ending, err)
	}
	if again, err := s.RevokeToken(t.Context(), one.ID, "test"); err != nil || !again.IsZero() {
		t.Errorf("ended twice: %+v, %v", again, err)
	}
	role := RoleAdministrator
	all, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Role: &role, Reason: "test"})
	if err != nil || !all.EarlierToo || all.Through != two.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if got := endings(t, s, 0); !slices.Equal(got, []Revocation{ending, all}) {
		t.Errorf("%+v", got)
	}
	if got := endings(t, s, 1); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	k, err := s.TokenByID(t.Context(), two.ID)
	if err != nil || k.EndsAt > now() {
		t.Errorf("%+v, %v", k, err)
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 1}, signed)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("a token by an old epoch: %v", err)
	}
}
