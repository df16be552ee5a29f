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

// TestChangeCounter: the highest intact number counts, whatever part of the file is damaged or
// missing.
func TestChangeCounter(t *testing.T) {
	dir := t.TempDir()
	c, err := openChangeCounter(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	requireValue := func(want int64) {
		t.Helper()
		if got, err := c.value(); err != nil || got != want {
			t.Errorf("%d, %v, want %d", got, err, want)
		}
	}
	requireValue(0)
	for _, step := range []struct{ advance, want int64 }{{1, 1}, {2, 2}, {5, 5}, {4, 5}, {7, 7}} {
		if err := c.advance(step.advance); err != nil {
			t.Fatal(err)
		}
		requireValue(step.want)
	}
	whole, err := os.ReadFile(filepath.Join(dir, changeCounterFile))
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1
		if _, err := c.file.WriteAt(damaged, 0); err != nil {
			t.Fatal(err)
		}
		want := int64(7)
		if at >= slotSize { // in the slot of 7
			want = 5
		}
		requireValue(want)
	}
	for size := range whole {
		if err := c.file.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.file.WriteAt(whole[:size], 0); err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		if size >= slotSize {
			want = 5
		}
		requireValue(want)
	}
}

// TestLostChanges: a database that lacks an acknowledged change is refused. One that has more
// changes than are counted is not.
func TestLostChanges(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	u := newUser(t, s, "a@b.cn")
	token := newToken(t, s, u.ID)
	if _, err := s.RevokeToken(t.Context(), token.ID, "x"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		add  int64
		want error
	}{{0, nil}, {-1, ErrDamaged}, {2, nil}} {
		_, err := s.write.Exec("UPDATE sequences SET value = value + ?1 WHERE name = 'change'", step.add)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckChanges(t.Context()); !errors.Is(err, step.want) {
			t.Errorf("%+d: %v", step.add, err)
		}
	}
}

// TestCountedChanges: destructive changes are counted before they are acknowledged. Other changes
// cost no sync.
func TestCountedChanges(t *testing.T) {
	onSQLite(t)
	s := storeWithKey(t)
	ctx := t.Context()
	u := newUser(t, s, "a@b.cn")
	var token Token
	disabled, hash := Disabled, "other"
	update := func(up UserUpdate) error { return second(s.UpdateUser(ctx, u.ID, up)) }
	for _, step := range []struct {
		name    string
		counted int64
		do      func() error
	}{
		{"a new account", 0, func() error { newUser(t, s, "b@b.cn"); return nil }},
		{"a new token", 0, func() error { token = newToken(t, s, u.ID); return nil }},
		{"a last use", 0, func() error {
			return s.UpdateLastUsed(ctx, map[TokenID]int64{token.ID: now()})
		}},
		{"a revocation", 1, func() error { return second(s.RevokeToken(ctx, token.ID, "x")) }},
		{"the same again", 0, func() error { return second(s.RevokeToken(ctx, token.ID, "x")) }},
		{"a new password", 1, func() error { return update(UserUpdate{PasswordHash: &hash}) }},
		{"a new state", 1, func() error { return update(UserUpdate{State: &disabled}) }},
		{"a retired key", 1, func() error { return s.RetireKey(ctx, 1, 1, sealed) }},
		{"a deleted account", 1, func() error { return second(s.DeleteUser(ctx, u.ID+1, "test")) }},
	} {
		before, err := s.changes.value()
		if err != nil {
			t.Fatal(err)
		}
		if err := step.do(); err != nil {
			t.Fatal(step.name, err)
		}
		if after, err := s.changes.value(); err != nil || after-before != step.counted {
			t.Errorf("%s: from %d to %d, %v", step.name, before, after, err)
		}
	}
}

// TestCheckDuringChanges: CheckChanges accepts a database while another process changes it.
func TestCheckDuringChanges(t *testing.T) {
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
