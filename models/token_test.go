package models

import (
	"errors"
	"testing"
)

// TestClockBehind: no token is issued that the user's newest revocation would cover.
func TestClockBehind(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	ahead := (TokenID{IssuedAt: now() + 3600}).Order()
	err := s.inTransaction(t.Context(), func(tx *transaction) error {
		row, err := tx.lockUser(u.ID)
		if err != nil {
			return err
		}
		row.revokedThrough = ahead
		return tx.storeUser(row)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 1}, signed)
	if !errors.Is(err, ErrClock) {
		t.Errorf("%v, want ErrClock", err)
	}
}

func TestSignErrorStoresNothing(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	fault := errors.New("cannot sign")
	token, _, err := s.CreateToken(t.Context(), NewToken{UID: u.ID, Lifetime: 60},
		func(Token) (int64, error) { return 0, fault })
	if !errors.Is(err, fault) {
		t.Errorf("%v, want %v", err, fault)
	}
	if _, err := s.TokenByID(t.Context(), token.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the token is stored: %v", err)
	}
}
