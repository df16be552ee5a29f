package models

import (
	"errors"
	"sync"
	"testing"
)

// TestLastAdministratorAtOnce: if two administrators take away each other's rights at the same
// time, one remains.
func TestLastAdministratorAtOnce(t *testing.T) {
	for range 20 {
		s := openStore(t, t.TempDir())
		var ids []uint32
		for _, name := range []string{"a@example.com", "b@example.com"} {
			u, err := s.CreateUser(t.Context(), NewUser{Account: name, ClientType: EMail,
				Nickname: "Ann", Role: RoleAdministrator, PasswordHash: "x"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
		}
		var wait sync.WaitGroup
		errs := make([]error, 2)
		for i, id := range ids {
			wait.Go(func() {
				role := RoleUser
				_, errs[i] = s.UpdateUser(t.Context(), id, UserUpdate{Role: &role})
			})
		}
		wait.Wait()
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], ErrLastAdministrator) {
			t.Fatalf("%v and %v", errs[0], errs[1])
		}
	}
}
