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
