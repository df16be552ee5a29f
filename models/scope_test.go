package models

import (
	"errors"
	"fmt"
	"testing"
)

// TestScopes: a name keeps its number for ever, in whatever order names are given later.
func TestScopes(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, names := range [][]string{{"read", "metrics"}, {"metrics"}, {"write", "read", "read"}, nil} {
		if err := s.NameScopes(t.Context(), names); err != nil {
			t.Fatal(err)
		}
	}
	scopes, err := s.Scopes(t.Context())
	want := "map[1:UserScope 2:AdminScope 3:read 4:metrics 5:write]"
	if got := fmt.Sprint(map[Scope]string(scopes)); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, name := range []string{"", "UserScope", "Read", "a b", "ä", "-a", "a123456789012345678901234567890123"} {
		if err := s.NameScopes(t.Context(), []string{name}); !errors.Is(err, ErrScopeName) {
			t.Errorf("%q: %v, want ErrScopeName", name, err)
		}
	}
	if got := scopes.Name(200); got != "scope 200" {
		t.Errorf("an unknown number: %q", got)
	}
	var many []string
	for n := range 300 {
		many = append(many, fmt.Sprintf("scope-%d", n))
	}
	if err := s.NameScopes(t.Context(), many); err == nil {
		t.Error("more scopes than a token can name")
	}
}

func TestIncludes(t *testing.T) {
	const read, metrics = firstNamed, firstNamed + 1
	for _, test := range []struct {
		has  Scope
		want []Scope
	}{
		{UserScope, []Scope{AnyScope, UserScope, read, metrics}},
		{AdminScope, []Scope{AnyScope, UserScope, AdminScope, read, metrics}},
		{read, []Scope{AnyScope, read}},
		{metrics, []Scope{AnyScope, metrics}},
	} {
		for _, required := range []Scope{AnyScope, UserScope, AdminScope, read, metrics} {
			want := false
			for _, w := range test.want {
				want = want || w == required
			}
			if got := test.has.Includes(required); got != want {
				t.Errorf("scope %d where %d is required: %v", test.has, required, got)
			}
		}
	}
}

func TestTokenIDText(t *testing.T) {
	id := TokenID{UID: 7, IssuedAt: 1795421052, Serial: 4095}
	if got, ok := ParseTokenID(id.String()); !ok || got != id {
		t.Errorf("%v, %v", got, ok)
	}
	for _, text := range []string{"", "7", "7-1795421052", "7-1795421052-4096", "07-1795421052-0", "7-1795421052-0-",
		"+7-1795421052-0", "7--1-0", "4294967296-1795421052-0", "7-1795421052-0\n", "7 -1795421052-0"} {
		if id, ok := ParseTokenID(text); ok {
			t.Errorf("%q is read as %s", text, id)
		}
	}
}

func FuzzTokenID(f *testing.F) {
	f.Add("7-1795421052-0")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := ParseTokenID(text); ok && id.String() != text {
			t.Errorf("%q is read as %s", text, id)
		}
	})
}

// TestMigrateFromFirst: a database of the first schema keeps its tokens, the ended ones ended.
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
		`INSERT INTO users (id, account, account_key, client_type, nickname, role, state, secret_hash, epoch,
			ended_through, created_at, updated_at, last_login_at)
			VALUES (7, 'a@b.cn', 'a@b.cn', 100, 'Ann', 1, 1, 'hash', 0, 0, 5, 5, 5)`,
		fmt.Sprintf(`INSERT INTO tokens (uid, issued_at, serial, expires_at, client_type, scope, user_agent, address,
			ended_at) VALUES (7, %d, 0, %d, 100, 1, '', '', 0), (7, %d, 1, %d, 100, 1, '', '', %d)`,
			at, at+60, at, at+60, at),
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
		tokens[0].Kind != LoginToken || tokens[0].EndsAt != at+60 {
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
