package models

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// revocations returns the revocations after a number.
func revocations(t testing.TB, s *Store, after int64) (found []Revocation) {
	t.Helper()
	_, err := s.Revocations(context.Background(), after, 1<<60,
		func(r Revocation) { found = append(found, r) })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRevocations(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	one, two := newToken(t, s, u.ID), newToken(t, s, u.ID)
	if one.ID == two.ID || one.ID.Order() >= two.ID.Order() {
		t.Errorf("%s, then %s", one.ID, two.ID)
	}
	first, err := s.RevokeToken(t.Context(), one.ID, "test")
	if err != nil || first.Through != one.ID {
		t.Errorf("%+v, %v", first, err)
	}
	if again, err := s.RevokeToken(t.Context(), one.ID, "test"); err != nil || !again.IsZero() {
		t.Errorf("revoked twice: %+v, %v", again, err)
	}
	role := RoleAdministrator
	all, err := s.UpdateUser(t.Context(), u.ID, UserUpdate{Role: &role, Reason: "test"})
	if err != nil || !all.EarlierToo || all.Through != two.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if got := revocations(t, s, 0); !slices.Equal(got, []Revocation{first, all}) {
		t.Errorf("%+v", got)
	}
	if got := revocations(t, s, 1); !slices.Equal(got, []Revocation{all}) {
		t.Errorf("%+v", got)
	}
	if token, err := s.TokenByID(t.Context(), two.ID); err != nil || token.EndsAt > now() {
		t.Errorf("%+v, %v", token, err)
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 1}, signed)
	if !errors.Is(err, ErrChanged) {
		t.Errorf("a token for an old epoch: %v", err)
	}
}
