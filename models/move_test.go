package models

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// filled is a SQLite store with so many users, two tokens of each, and some of everything else.
func filled(t testing.TB, users int) *Store {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := errors.Join(s.Migrate(t.Context()), s.CreateFirstKey(t.Context(), 0, sealed),
		s.NameScopes(t.Context(), []string{"read"}), s.RecordFailures(t.Context(),
			[]Failures{{Key: []byte{0, 1, 0xff}, FailedAt: 5, ClearsAt: 9}}, func(Failures) {})); err != nil {
		t.Fatal(err)
	}
	for n := range users {
		u := newUser(t, s, fmt.Sprintf("Ünï%d@example.com", n))
		k := newToken(t, s, u.ID)
		newToken(t, s, u.ID)
		if n%3 == 0 {
			_, err = s.RevokeToken(t.Context(), k.ID, "it's over")
		} else {
			_, err = s.CreateReset(t.Context(), u.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func emptyPostgres(t testing.TB) *Store {
	t.Helper()
	s := openStore(t, t.TempDir())
	if !s.Shared() {
		t.Fatal("not PostgreSQL")
	}
	return s
}

func requireSame(t testing.TB, a, b *Store) {
	t.Helper()
	for _, table := range movedTables() {
		count, sum, err := a.sum(t.Context(), table)
		other, otherSum, otherErr := b.sum(t.Context(), table)
		if err != nil || otherErr != nil || count != other || sum != otherSum || count == 0 {
			t.Errorf("%s: %d rows and %d, %v, %v", table.name, count, other, err, otherErr)
		}
	}
}

// TestMove: everything goes to PostgreSQL and back; both ways it is the same afterwards, what was left is used no more,
// and the numbers go on where they were.
func TestMove(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 30), emptyPostgres(t)
	plan, err := PlanMove(t.Context(), from, to, false)
	if err != nil || len(plan) != len(movedTables()) || plan[0] != (MovedTable{Table: "users", Rows: 30}) {
		t.Fatalf("%v, %v", plan, err)
	}
	rows := 0
	if _, err := Move(t.Context(), from, to, false, func(_ string, n int) { rows += n }); err != nil || rows < 100 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	requireSame(t, from, to)
	if err := from.CheckMoved(t.Context()); !errors.Is(err, ErrMoved) {
		t.Errorf("what was left: %v", err)
	}
	if _, err := from.CreateUser(t.Context(), NewUser{Account: "late@example.com"}); !errors.Is(err, ErrMoved) ||
		!errors.Is(err, ErrUnavailable) {
		t.Errorf("a write to what was left: %v", err)
	}
	if err := to.CheckMoved(t.Context()); err != nil {
		t.Error(err)
	}
	if u := newUser(t, to, "next@example.com"); u.ID != 31 {
		t.Errorf("the next user is %d", u.ID)
	}
	if _, err := Move(t.Context(), from, emptyPostgres(t), false, func(string, int) {}); !errors.Is(err, ErrMoved) {
		t.Errorf("moved again: %v", err)
	}
	back, err := Open(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := back.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), to, back, false, func(string, int) {}); err != nil {
		t.Fatal(err)
	}
	requireSame(t, to, back)
	if found, err := back.UserByAccount(t.Context(), "ÜNÏ7@example.com"); err != nil || found.ID != 8 {
		t.Errorf("%v, %v", found, err)
	}
	if found, noted := sumOfEndings(t, back); found != noted {
		t.Error("the endings' checksum is not theirs")
	}
}

// TestMoveCutShort: a move that was cut short is refused by servers, goes on where it stopped, and begins anew when
// what was moved has changed since.
func TestMoveCutShort(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 20), emptyPostgres(t)
	cut := func(again bool, at string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := Move(ctx, from, to, again, func(table string, _ int) {
			if table == at {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cut short: %v", err)
		}
		if err := to.CheckMoved(t.Context()); !errors.Is(err, ErrMoving) {
			t.Fatalf("half moved: %v", err)
		}
		if err := from.CheckMoved(t.Context()); err != nil {
			t.Fatalf("what is still in use: %v", err)
		}
	}
	cut(false, "tokens")
	plan, err := PlanMove(t.Context(), from, to, false)
	if err != nil || plan[0].Copied != 20 || plan[2].Copied != 0 {
		t.Errorf("%v, %v", plan, err)
	}
	cut(false, "endings")
	if _, err := from.RevokeToken(t.Context(), newToken(t, from, 1).ID, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), from, to, false, func(string, int) {}); !errors.Is(err, ErrDiffers) {
		t.Errorf("changed meanwhile: %v", err)
	}
	cut(true, "users")
	if _, err := Move(t.Context(), from, to, false, func(string, int) {}); err != nil {
		t.Fatal(err)
	}
	requireSame(t, from, to)
	if err := to.CheckMoved(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMoveRefuses: nothing is moved from under a node, or to where something is.
func TestMoveRefuses(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 3), emptyPostgres(t)
	newUser(t, to, "ann@example.com")
	if _, err := Move(t.Context(), from, to, true, func(string, int) {}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("to where a user is: %v", err)
	}
	if err := to.Heartbeat(t.Context(), Node{ID: "x", Name: "host", Lag: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := PlanMove(t.Context(), to, filled(t, 1), false); !errors.Is(err, ErrNodes) {
		t.Errorf("from under a node: %v", err)
	}
}
