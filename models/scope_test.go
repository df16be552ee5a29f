package models

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestScopes: a name keeps its number, whatever names come later and in whatever order.
func TestScopes(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, names := range [][]string{
		{"read", "metrics"}, {"metrics"}, {"write", "read", "read"}, nil} {
		if err := s.NameScopes(t.Context(), names); err != nil {
			t.Fatal(err)
		}
	}
	scopes, err := s.Scopes(t.Context())
	want := "map[1:UserScope 2:AdminScope 3:read 4:metrics 5:write]"
	if got := fmt.Sprint(map[Scope]string(scopes)); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, name := range []string{"", "UserScope", "Read", "a b", "ä", "-a", "any",
		"a" + strings.Repeat("1", 32)} {
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
		t.Error("more scopes than a token can have were stored")
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
