package models

import "testing"

func TestPurge(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	for range 5 {
		token := newToken(t, s, u.ID)
		if _, err := s.RevokeToken(t.Context(), token.ID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if deleted, err := s.Purge(t.Context(), now(), 3); err != nil || deleted != 0 {
		t.Errorf("live ones: %d, %v", deleted, err)
	}
	for _, want := range []int64{6, 4, 0} { // three, then two, of tokens and revocations
		deleted, err := s.Purge(t.Context(), now()+2*lifetime, 3)
		if err != nil || deleted != want {
			t.Errorf("%d, %v, want %d", deleted, err, want)
		}
	}
}
