package models

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// filled returns a SQLite store with users, two tokens of each, and some of everything else.
func filled(t testing.TB, users int) *Store {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	failed := []Failures{{Key: []byte{0, 1, 0xff}, FailedAt: 5, ClearsAt: 9}}
	if err := errors.Join(s.Migrate(t.Context()), s.CreateFirstKey(t.Context(), 0, sealed),
		s.NameScopes(t.Context(), []string{"read"}),
		s.RecordFailures(t.Context(), failed, func(Failures) {})); err != nil {
		t.Fatal(err)
	}
	for n := range users {
		u := newUser(t, s, fmt.Sprintf("Ünï%d@example.com", n))
		token := newToken(t, s, u.ID)
		newToken(t, s, u.ID)
		if n%3 == 0 {
			_, err = s.RevokeToken(t.Context(), token.ID, "it's over")
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

func noProgress(string, int) {}

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

// TestMove moves everything to PostgreSQL and back. The rows stay the same, the sequences continue,
// and the database that was moved can no longer be used.
func TestMove(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 30), emptyPostgres(t)
	plan, err := PlanMove(t.Context(), from, to, false)
	if err != nil || len(plan) != len(movedTables()) ||
		plan[0] != (MovedTable{Table: "users", Rows: 30}) {
		t.Fatalf("%v, %v", plan, err)
	}
	rows := 0
	_, err = Move(t.Context(), from, to, false, func(_ string, n int) { rows += n })
	if err != nil || rows < 100 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	requireSame(t, from, to)
	if err := from.CheckMoved(t.Context()); !errors.Is(err, ErrMoved) {
		t.Errorf("the moved one: %v", err)
	}
	_, err = from.CreateUser(t.Context(), NewUser{Account: "late@example.com"})
	if !errors.Is(err, ErrMoved) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("a write to the moved one: %v", err)
	}
	if err := to.CheckMoved(t.Context()); err != nil {
		t.Error(err)
	}
	if u := newUser(t, to, "next@example.com"); u.ID != 31 {
		t.Errorf("the next user is %d", u.ID)
	}
	_, err = Move(t.Context(), from, emptyPostgres(t), false, noProgress)
	if !errors.Is(err, ErrMoved) {
		t.Errorf("moved again: %v", err)
	}
	requireMoveBack(t, to)
}

// requireMoveBack moves a database to SQLite.
func requireMoveBack(t *testing.T, from *Store) {
	t.Helper()
	back, err := Open(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := back.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Move(t.Context(), from, back, false, noProgress); err != nil {
		t.Fatal(err)
	}
	requireSame(t, from, back)
	found, err := back.UserByAccount(t.Context(), "ÜNÏ7@example.com")
	if err != nil || found.ID != 8 {
		t.Errorf("%v, %v", found, err)
	}
	if found, stored := checksums(t, back); found != stored {
		t.Error("the checksum of the revocations is wrong")
	}
}

// TestMoveCutShort interrupts a move. Servers refuse the unfinished copy; the move continues where
// it stopped, and starts again if the copied rows have changed.
func TestMoveCutShort(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 20), emptyPostgres(t)
	interrupt := func(restart bool, at string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := Move(ctx, from, to, restart, func(table string, _ int) {
			if table == at {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		if err := to.CheckMoved(t.Context()); !errors.Is(err, ErrMoving) {
			t.Fatalf("unfinished: %v", err)
		}
		if err := from.CheckMoved(t.Context()); err != nil {
			t.Fatalf("still in use: %v", err)
		}
	}
	interrupt(false, "tokens")
	plan, err := PlanMove(t.Context(), from, to, false)
	if err != nil || plan[0].Copied != 20 || plan[2].Copied != 0 {
		t.Errorf("%v, %v", plan, err)
	}
	interrupt(false, "endings")
	if _, err := from.RevokeToken(t.Context(), newToken(t, from, 1).ID, "meanwhile"); err != nil {
		t.Fatal(err)
	}
	_, err = Move(t.Context(), from, to, false, noProgress)
	if !errors.Is(err, ErrDiffers) {
		t.Errorf("changed since: %v", err)
	}
	interrupt(true, "users")
	if _, err := Move(t.Context(), from, to, false, noProgress); err != nil {
		t.Fatal(err)
	}
	requireSame(t, from, to)
	if err := to.CheckMoved(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMoveRefuses: a move needs a database without nodes and an empty one.
func TestMoveRefuses(t *testing.T) {
	onPostgres(t)
	from, to := filled(t, 3), emptyPostgres(t)
	newUser(t, to, "ann@example.com")
	if _, err := Move(t.Context(), from, to, true, noProgress); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("to a database with a user: %v", err)
	}
	if err := to.Heartbeat(t.Context(), Node{ID: "x", Name: "host", Lag: 3600}); err != nil {
		t.Fatal(err)
	}
	if _, err := PlanMove(t.Context(), to, filled(t, 1), false); !errors.Is(err, ErrNodes) {
		t.Errorf("from a database with a node: %v", err)
	}
}
