package models

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestUsers(t *testing.T) {
	s := openStore(t, t.TempDir())
	u := newUser(t, s, "Ann@Example.com")
	got, err := s.UserByID(t.Context(), u.ID)
	if err != nil || got != u {
		t.Errorf("%+v, %v, want %+v", got, err, u)
	}
	if _, err := s.CreateUser(t.Context(), NewUser{Account: "ANN@example.COM"}); err == nil {
		t.Error("an invalid role was stored")
	}
	_, err = s.CreateUser(t.Context(), NewUser{Account: "ANN@example.COM", Role: RoleUser})
	if !errors.Is(err, ErrAccountTaken) {
		t.Errorf("another spelling: %v", err)
	}
	if _, err := s.DeleteUser(t.Context(), u.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if again := newUser(t, s, "ann@example.com"); again.ID <= u.ID {
		t.Errorf("id %d was reused for %d", u.ID, again.ID)
	}
	for name, err := range map[string]error{
		"UserByID":      second(s.UserByID(t.Context(), u.ID)),
		"UserByAccount": second(s.UserByAccount(t.Context(), "nobody@example.com")),
		"DeleteUser":    second(s.DeleteUser(t.Context(), u.ID, "test")),
		"UpdateUser":    second(s.UpdateUser(t.Context(), u.ID, UserUpdate{})),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

// TestInvalidText: an account that a database cannot store is not found.
func TestInvalidText(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, account := range []string{"\x00", "a\x00@b.cn", "a\xff@b.cn"} {
		if _, err := s.Credentials(t.Context(), account); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", account, err)
		}
	}
}

// TestSameAccountAtOnce: of many simultaneous registrations of one account, one succeeds.
func TestSameAccountAtOnce(t *testing.T) {
	dir := t.TempDir()
	stores := []*Store{openStore(t, dir), openStore(t, dir)}
	var wait sync.WaitGroup
	errs := make(chan error, 20)
	for n := range cap(errs) {
		wait.Go(func() {
			_, err := stores[n%2].CreateUser(context.Background(),
				NewUser{Account: "a@b.cn", Role: RoleUser})
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	created := 0
	for err := range errs {
		if err == nil {
			created++
		} else if !errors.Is(err, ErrAccountTaken) {
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("%d of 20 succeeded", created)
	}
}
