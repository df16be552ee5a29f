package models

import "testing"

func TestPurge(t *testing.T) {
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	for range 5 {
		k := newToken(t, s, u.ID)
		if _, err := s.RevokeToken(t.Context(), k.ID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := s.Purge(t.Context(), now(), 3); err != nil || gone != 0 {
		t.Errorf("live ones: %d, %v", gone, err)
	}
	for _, want := range []int64{6, 4, 0} { // three, then two, of each
		if gone, err := s.Purge(t.Context(), now()+100, 3); err != nil || gone != want {
			t.Errorf("%d, %v, want %d", gone, err, want)
		}
	}
}
