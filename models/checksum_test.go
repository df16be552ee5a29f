package models

import (
	"context"
	"errors"
	"testing"
)

// checksums returns the checksum of the revocations that are found, and the stored one.
func checksums(t *testing.T, s *Store) (found, stored int64) {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err = s.Revocations(t.Context(), 0, head.Revocations, func(Revocation) {})
	if err != nil {
		t.Fatal(err)
	}
	return found, head.Checksum
}

// TestRevocationsChecksum: the stored checksum is right after each kind of revocation and after
// each purge, and wrong for any other content.
func TestRevocationsChecksum(t *testing.T) {
	s := storeWithKey(t)
	ann, bob := newUser(t, s, "ann@b.cn"), newUser(t, s, "bob@b.cn")
	var tokens []Token
	for range 6 {
		tokens = append(tokens, newToken(t, s, ann.ID))
		newToken(t, s, bob.ID)
	}
	ctx := t.Context()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"one", func() error { return second(s.RevokeToken(ctx, tokens[0].ID, "x")) }},
		{"all others", func() error { return second(s.RevokeOthers(ctx, tokens[1].ID, "x")) }},
		{"all", func() error { return second(s.RevokeAll(ctx, bob.ID, "x")) }},
		{"a deletion", func() error { return second(s.DeleteUser(ctx, ann.ID, "test")) }},
		{"a purge", func() error { return second(s.Purge(ctx, now()+1<<30, 3)) }},
		{"another purge", func() error { return second(s.Purge(ctx, now()+1<<30, 2)) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if found, stored := checksums(t, s); found != stored {
			t.Errorf("after %s: found %x, stored %x", step.name, found, stored)
		}
	}
	if _, stored := checksums(t, s); stored == 0 {
		t.Error("no revocation is left")
	}
	for _, column := range []string{"seq", "uid", "token_order", "expires_at", "ends_at"} {
		requireNoticed(t, s, "UPDATE endings SET "+column+" = "+column+
			" + 1 WHERE seq = (SELECT MAX(seq) FROM endings)")
	}
}

// requireNoticed fails if the checksum does not notice a change to the revocations.
func requireNoticed(t *testing.T, s *Store, change string) {
	t.Helper()
	tx, err := s.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(change); err != nil {
		t.Fatal(err)
	}
	found, err := (&transaction{ctx: t.Context(), tx: tx, store: s}).revocationsChecksum()
	if err != nil {
		t.Fatal(err)
	}
	if _, stored := checksums(t, s); found == stored {
		t.Errorf("not noticed: %s", change)
	}
}

// TestDamagedUser: no method uses a user's row that was changed from outside.
func TestDamagedUser(t *testing.T) {
	ctx := context.Background()
	role := RoleAdministrator
	for _, set := range []string{"account = 'x'", "account_key = 'a@b.cn '", "client_type = 101",
		"nickname = 'x'", "role = 2", "state = 2", "pending = 1", "secret_hash = 'x'", "epoch = 1",
		"ended_through = 1", "created_at = 1", "checksum = 1"} {
		s := storeWithKey(t)
		u := newUser(t, s, "a@b.cn")
		token := newToken(t, s, u.ID)
		if _, err := s.write.Exec("UPDATE users SET " + set); err != nil {
			t.Fatal(err)
		}
		calls := map[string]error{
			"CredentialsByID": second(s.CredentialsByID(ctx, u.ID)),
			"UserByID":        second(s.UserByID(ctx, u.ID)),
			"Users":           second(s.Users(ctx, UserFilter{})),
			"UpdateUser":      second(s.UpdateUser(ctx, u.ID, UserUpdate{Role: &role})),
			"DeleteUser":      second(s.DeleteUser(ctx, u.ID, "test")),
			"RevokeAll":       second(s.RevokeAll(ctx, u.ID, "x")),
			"ReplaceHash":     s.ReplaceHash(ctx, u.ID, "hash", "other"),
		}
		if set != "account_key = 'a@b.cn '" { // not found by the account
			calls["Credentials"] = second(s.Credentials(ctx, "a@b.cn"))
		}
		if set != "state = 2" && set != "pending = 1" && set != "epoch = 1" { // refused anyway
			_, _, err := s.CreateToken(ctx, NewToken{UID: u.ID, Lifetime: 9}, signed)
			calls["CreateToken"] = err
		}
		for name, err := range calls {
			if !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s, %s: %v", set, name, err)
			}
		}
		if _, err := s.TokenByID(ctx, token.ID); err != nil {
			t.Errorf("%s: the token: %v", set, err)
		}
	}
}

// TestWrongIndex: an index that leads to another user's row lets nobody in as that user.
func TestWrongIndex(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	newUser(t, s, "a@b.cn")
	for _, statement := range []string{
		"CREATE TABLE other AS SELECT * FROM users", "DROP INDEX users_role",
		"PRAGMA foreign_keys = OFF", "DROP TABLE users",
		`CREATE VIEW users AS SELECT id, account, account_key AS was, 'c@b.cn' AS account_key,
			client_type, nickname, nickname_key, role, state, pending, secret_hash, epoch, ended_through,
			created_at, updated_at, last_login_at, checksum FROM other`,
	} {
		if _, err := s.write.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if _, err := s.Credentials(t.Context(), "c@b.cn"); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}
