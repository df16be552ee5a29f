package models

import (
	"fmt"
	"testing"
)

// TestMigrateFromFirst: a database of the first schema keeps its tokens and revocations.
func TestMigrateFromFirst(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	old, err := s.migrator()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	at := now()
	for _, statement := range []string{
		"INSERT INTO keys (id, created_at, sealed) VALUES (1, 5, 'c2VhbGVk')",
		`INSERT INTO users (id, account, account_key, client_type, nickname, role, state, secret_hash,
			epoch, ended_through, created_at, updated_at, last_login_at)
			VALUES (7, 'a@b.cn', 'a@b.cn', 100, 'Ann', 1, 1, 'hash', 0, 0, 5, 5, 5)`,
		fmt.Sprintf(`INSERT INTO tokens (uid, issued_at, serial, expires_at, client_type, scope,
			user_agent, address, ended_at)
			VALUES (7, %d, 0, %d, 100, 1, '', '', 0), (7, %d, 1, %d, 100, 1, '', '', %d)`,
			at, at+3600, at, at+3600, at),
	} {
		if _, err := s.write.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tokens, err := s.Tokens(t.Context(), TokenFilter{UID: 7, Limit: 9})
	if err != nil || len(tokens) != 1 || tokens[0].ID.Serial != 0 || tokens[0].LoginAt != at ||
		tokens[0].Kind != LoginToken || tokens[0].EndsAt != at+3600 {
		t.Errorf("%+v, %v", tokens, err)
	}
	if use, err := s.KeyUse(t.Context(), 1); err != nil || use != (KeyUse{Tokens: 1, Users: 1}) {
		t.Errorf("%+v, %v", use, err)
	}
	if keys, err := s.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0].SignsAt != 5 {
		t.Errorf("%+v, %v", keys, err)
	}
	if found, err := s.Users(t.Context(), UserFilter{Query: "ANN"}); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	provider, err := s.migrator()
	if err != nil {
		t.Fatal(err)
	}
	if pending, err := provider.HasPending(t.Context()); err != nil || pending {
		t.Errorf("not the newest version: %v, %v", pending, err)
	}
}
