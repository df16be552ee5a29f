package models

import (
	"errors"
	"fmt"
	"testing"

	"latchkey/models/postgrestest"
)

// TestUpdateLastUsedInParts: last uses that cannot be stored keep no others from being stored.
func TestUpdateLastUsedInParts(t *testing.T) {
	c := onPostgres(t)
	dir := t.TempDir()
	s := openStore(t, dir)
	if err := s.CreateFirstKey(t.Context(), 0, sealed); err != nil {
		t.Fatal(err)
	}
	first, last := newUser(t, s, "ann@example.com"), newUser(t, s, "zoe@example.com")
	used := map[TokenID]int64{newToken(t, s, first.ID).ID: now(), newToken(t, s, last.ID).ID: now()}
	for n := range 1000 {
		used[TokenID{UID: first.ID, IssuedAt: now() + 1 + int64(n)}] = now() // not stored
	}
	address, err := c.InPlaceOf(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	name := postgrestest.NameIn(address)
	_, err = c.SQL(t.Context(), name, "ALTER DATABASE "+name+" SET lock_timeout = '100ms'")
	if err != nil {
		t.Fatal(err)
	}
	impatient := openStore(t, dir)
	release, err := c.Hold(t.Context(), name,
		fmt.Sprintf("SELECT 1 FROM tokens WHERE uid = %d FOR UPDATE", last.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := impatient.UpdateLastUsed(t.Context(), used); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	requireUsed := func(uid uint32, want bool) {
		t.Helper()
		tokens, err := s.Tokens(t.Context(), TokenFilter{UID: uid, Limit: 10})
		if err != nil || len(tokens) != 1 || (tokens[0].UsedAt > 0) != want {
			t.Errorf("%v, %+v", err, tokens)
		}
	}
	requireUsed(first.ID, true)
	requireUsed(last.ID, false)
	if err := errors.Join(release(), s.UpdateLastUsed(t.Context(), used)); err != nil {
		t.Error(err)
	}
	requireUsed(last.ID, true)
}
