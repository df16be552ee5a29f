package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// TestMark: the highest number counts, whatever of the file is gone.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	m, err := openChangeCounter(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	requireNumber := func(want int64) {
		t.Helper()
		if got, err := m.value(); err != nil || got != want {
			t.Errorf("%d, %v, want %d", got, err, want)
		}
	}
	requireNumber(0)
	for _, step := range []struct{ raise, want int64 }{{1, 1}, {2, 2}, {5, 5}, {4, 5}, {7, 7}} {
		if err := m.advance(step.raise); err != nil {
			t.Fatal(err)
		}
		requireNumber(step.want)
	}
	whole, err := os.ReadFile(filepath.Join(dir, changeCounterFile))
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		spoilt := slices.Clone(whole)
		spoilt[at] ^= 1
		if _, err := m.file.WriteAt(spoilt, 0); err != nil {
			t.Fatal(err)
		}
		want := int64(7)
		if at >= slotSize { // the place of 7
			want = 5
		}
		requireNumber(want)
	}
	for size := range whole {
		if err := m.file.Truncate(int64(size)); err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		if size >= slotSize {
			want = 5
		}
		if _, err := m.file.WriteAt(whole[:size], 0); err != nil {
			t.Fatal(err)
		}
		requireNumber(want)
	}
}

// TestLostChanges: a database that lacks a change which was acknowledged is refused; a newer one is not.
func TestLostChanges(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	token := newToken(t, s, u.ID)
	if _, err := s.RevokeToken(t.Context(), token.ID, "x"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		change int64
		want   error
	}{{0, nil}, {-1, ErrDamaged}, {2, nil}} {
		_, err := s.write.Exec("UPDATE sequences SET value = value + ?1 WHERE name = 'change'", step.change)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckChanges(t.Context()); !errors.Is(err, step.want) {
			t.Errorf("%+d: %v", step.change, err)
		}
	}
}

// TestWhatIsMarked: whatever takes something away is marked before it is acknowledged; what does not costs no sync.
func TestWhatIsMarked(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	ctx := t.Context()
	u := newUser(t, s, "a@b.cn")
	var token Token
	disabled, hash := Disabled, "other"
	steps := []struct {
		name   string
		marked int64
		do     func() error
	}{
		{"a new account", 0, func() error { newUser(t, s, "b@b.cn"); return nil }},
		{"a new token", 0, func() error { token = newToken(t, s, u.ID); return nil }},
		{"a token's use", 0, func() error { return s.UpdateLastUsed(ctx, map[TokenID]int64{token.ID: now()}) }},
		{"an ended token", 1, func() error { _, err := s.RevokeToken(ctx, token.ID, "x"); return err }},
		{"an ended token again", 0, func() error { _, err := s.RevokeToken(ctx, token.ID, "x"); return err }},
		{"a secret", 1, func() error { _, err := s.UpdateUser(ctx, u.ID, UserUpdate{PasswordHash: &hash}); return err }},
		{"a state", 1, func() error { _, err := s.UpdateUser(ctx, u.ID, UserUpdate{State: &disabled}); return err }},
		{"a key", 1, func() error { return s.RetireKey(ctx, 1, 1, sealed) }},
		{"an account that never logged in", 1, func() error { _, err := s.DeleteUser(ctx, u.ID+1); return err }},
	}
	for _, step := range steps {
		before, err := s.changes.value()
		if err != nil {
			t.Fatal(err)
		}
		if err := step.do(); err != nil {
			t.Fatal(step.name, err)
		}
		if after, err := s.changes.value(); err != nil || after-before != step.marked {
			t.Errorf("%s: from %d to %d, %v", step.name, before, after, err)
		}
	}
}

// TestCheckWhileOthersChange: a check is right while another process makes changes.
func TestCheckWhileOthersChange(t *testing.T) {
	dir := t.TempDir()
	writer, reader := openStore(t, dir), openStore(t, dir)
	u := newUser(t, writer, "a@b.cn")
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 200 && err == nil; n++ {
			name := fmt.Sprint("Ann ", n)
			_, err = writer.UpdateUser(context.Background(), u.ID, UserUpdate{Nickname: &name})
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
			if err := reader.CheckChanges(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
