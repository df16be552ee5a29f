package models

import (
	"sync"
	"testing"
)

// TestLastAdministratorAtOnce: of two administrators who take away each other's rights at once, one stays.
func TestLastAdministratorAtOnce(t *testing.T) {
	for range 20 {
		s := openStore(t, t.TempDir())
		var ids []uint32
		for _, name := range []string{"a@example.com", "b@example.com"} {
			u, err := s.CreateUser(t.Context(), NewUser{Account: name, ClientType: EMail, Nickname: "Ann",
				Role: RoleAdministrator, PasswordHash: "x"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, u.ID)
		}
		var wait sync.WaitGroup
		failed := make([]error, 2)
		for i, id := range ids {
			wait.Go(func() {
				role := RoleUser
				_, failed[i] = s.UpdateUser(t.Context(), id, UserUpdate{Role: &role})
			})
		}
		wait.Wait()
		if (failed[0] == nil) == (failed[1] == nil) {
			t.Fatalf("%v and %v", failed[0], failed[1])
		}
	}
}
