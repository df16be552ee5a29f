package models_test

import (
	"path/filepath"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/models"
	"latchkey/models/modelstest"
)

// TestVerificationDoesNoSQL: a login uses the database; verifying a token, valid or not, does not.
func TestVerificationDoesNoSQL(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	key, err := auth.CreateMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := modelstest.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	statements := models.CountStatements(store)
	ring, err := auth.LoadKeyRing(t.Context(), store, key, path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.NewAuthority(t.Context(), store, ring, auth.Options{Lag: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Register(t.Context(), auth.Registration{Account: "a@b.cn", Password: "secret1",
		Nickname: "Ann", ClientType: models.EMail}, models.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	before := statements.Load()
	login := func() auth.Issued {
		issued, err := a.Login(t.Context(), auth.Login{Account: "a@b.cn", Password: "secret1",
			ClientType: models.EMail})
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	live, revoked := login(), login()
	if err := a.Revoke(t.Context(), revoked.Identity.TokenID, "test"); err != nil {
		t.Fatal(err)
	}
	if statements.Load() == before {
		t.Fatal("the counter does not count")
	}
	before = statements.Load()
	for range 1000 {
		if _, err := a.Verify(live.Token); err != nil {
			t.Fatal(err)
		}
		for _, invalid := range []string{revoked.Token, live.Token[1:] + "A", "", "x"} {
			if _, err := a.Verify(invalid); err == nil {
				t.Fatalf("%q was accepted", invalid)
			}
		}
	}
	if n := statements.Load() - before; n != 0 {
		t.Errorf("%d statements for 5,000 verifications", n)
	}
}
