package models

import (
	"context"
	"errors"
	"testing"
)

// sumOfEndings is the checksum of what is there, and that of what should be.
func sumOfEndings(t *testing.T, s *Store) (found, noted int64) {
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

// TestEndingsChecksum: it holds after each kind of ending and after each purge, and for no other content.
func TestEndingsChecksum(t *testing.T) {
	s := storeWithKey(t)
	requireSum := func(after string) {
		t.Helper()
		if found, noted := sumOfEndings(t, s); found != noted {
			t.Errorf("after %s: %x, noted is %x", after, found, noted)
		}
	}
	requireSum("nothing")
	ann, bob := newUser(t, s, "ann@b.cn"), newUser(t, s, "bob@b.cn")
	var tokens []Token
	for range 6 {
		tokens = append(tokens, newToken(t, s, ann.ID))
		newToken(t, s, bob.ID)
	}
	ctx := t.Context()
	steps := map[string]func() error{
		"a logout":    func() error { _, err := s.RevokeToken(ctx, tokens[0].ID, "x"); return err },
		"all others":  func() error { _, err := s.RevokeOthers(ctx, tokens[1].ID, "x"); return err },
		"all":         func() error { _, err := s.RevokeAll(ctx, bob.ID, "x"); return err },
		"a deletion":  func() error { _, err := s.DeleteUser(ctx, ann.ID); return err },
		"a purge":     func() error { _, err := s.Purge(ctx, now()+1<<30, 3); return err },
		"another one": func() error { _, err := s.Purge(ctx, now()+1<<30, 2); return err },
	}
	for _, name := range []string{"a logout", "all others", "all", "a deletion", "a purge", "another one"} {
		if err := steps[name](); err != nil {
			t.Fatal(err)
		}
		requireSum(name)
	}
	if _, noted := sumOfEndings(t, s); noted == 0 {
		t.Error("nothing is left to look at")
	}
	for _, column := range []string{"seq", "uid", "token_order", "expires_at", "ends_at"} {
		tx, err := s.write.Begin()
		if err != nil {
			t.Fatal(err)
		}
		change := "UPDATE endings SET " + column + " = " + column + " + 1 WHERE seq = (SELECT MAX(seq) FROM endings)"
		if _, err := tx.Exec(change); err != nil {
			t.Fatal(err)
		}
		if found, err := (&transaction{ctx: ctx, tx: tx, store: s}).revocationsChecksum(); err != nil {
			t.Fatal(err)
		} else if _, noted := sumOfEndings(t, s); found == noted {
			t.Errorf("another %s is not noticed", column)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedUser: a row that is not as it was written is of no use, whoever asks for it.
func TestDamagedUser(t *testing.T) {
	ctx := context.Background()
	role := RoleAdministrator
	for _, set := range []string{"account = 'x'", "account_key = 'a@b.cn '", "client_type = 101", "nickname = 'x'",
		"role = 2", "state = 2", "secret_hash = 'x'", "epoch = 1", "ended_through = 1", "created_at = 1", "checksum = 1"} {
		s := storeWithKey(t)
		u := newUser(t, s, "a@b.cn")
		token := newToken(t, s, u.ID)
		if _, err := s.write.Exec("UPDATE users SET " + set); err != nil {
			t.Fatal(err)
		}
		uses := map[string]func() error{
			"CredentialsByID": func() error { _, err := s.CredentialsByID(ctx, u.ID); return err },
			"UserByID":        func() error { _, err := s.UserByID(ctx, u.ID); return err },
			"Users":           func() error { _, err := s.Users(ctx, UserFilter{}); return err },
			"UpdateUser":      func() error { _, err := s.UpdateUser(ctx, u.ID, UserUpdate{Role: &role}); return err },
			"DeleteUser":      func() error { _, err := s.DeleteUser(ctx, u.ID); return err },
			"EndAll":          func() error { _, err := s.RevokeAll(ctx, u.ID, "x"); return err },
			"ReplaceHash":     func() error { return s.ReplaceHash(ctx, u.ID, "hash", "other") },
		}
		if set != "account_key = 'a@b.cn '" { // by which it is not found
			uses["Credentials"] = func() error { _, err := s.Credentials(ctx, "a@b.cn"); return err }
		}
		if set != "state = 2" && set != "epoch = 1" { // by which it would be refused anyway
			uses["CreateToken"] = func() error {
				_, _, err := s.CreateToken(ctx, NewToken{UID: u.ID, Lifetime: 9}, signed)
				return err
			}
		}
		for name, use := range uses {
			if err := use(); !errors.Is(err, ErrDamaged) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s, %s: %v", set, name, err)
			}
		}
		if _, err := s.TokenByID(ctx, token.ID); err != nil {
			t.Errorf("%s: the token: %v", set, err)
		}
	}
}

// TestFoundByAnother: an index that leads to another's row lets nobody in as that one.
func TestFoundByAnother(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	newUser(t, s, "a@b.cn")
	for _, statement := range []string{
		"CREATE TABLE other AS SELECT * FROM users", "DROP INDEX users_role", "PRAGMA foreign_keys = OFF", "DROP TABLE users",
		"CREATE VIEW users AS SELECT id, account, account_key AS was, 'c@b.cn' AS account_key, client_type, nickname, " +
			"nickname_key, role, state, secret_hash, epoch, ended_through, created_at, updated_at, last_login_at, " +
			"checksum FROM other",
	} {
		if _, err := s.write.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if _, err := s.Credentials(t.Context(), "c@b.cn"); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}
