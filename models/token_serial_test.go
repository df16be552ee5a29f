package models

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestSerials: within one second a user gets at most 4,096 tokens, and no id twice.
func TestSerials(t *testing.T) { synctest.Test(t, testSerials) }

func testSerials(t *testing.T) {
	s := storeWithKey(t)
	user, other := newUser(t, s, "a@b.cn"), newUser(t, s, "b@b.cn")
	const issued = MaxSerial - 2
	err := s.inTransaction(t.Context(), func(tx *transaction) error {
		for serial := range uint16(issued) {
			token := Token{ID: TokenID{user.ID, now(), serial}, ExpiresAt: now() + 1, keyID: firstKey}
			if err := tx.insertToken(token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for serial := uint16(issued); serial <= MaxSerial; serial++ {
		if got := newToken(t, s, user.ID).ID.Serial; got != serial {
			t.Fatalf("serial %d, want %d", got, serial)
		}
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{UID: user.ID, Lifetime: 60}, signed)
	if !errors.Is(err, ErrSerialsExhausted) {
		t.Errorf("token number %d in a second: %v, want ErrSerialsExhausted", MaxSerial+2, err)
	}
	if got := newToken(t, s, other.ID).ID.Serial; got != 0 {
		t.Errorf("another user: serial %d, want 0", got)
	}
	time.Sleep(time.Second)
	if got := newToken(t, s, user.ID).ID.Serial; got != 0 {
		t.Errorf("a second later: serial %d, want 0", got)
	}
}
