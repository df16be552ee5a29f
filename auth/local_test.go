package auth

import (
	"errors"
	"net/http/httptest"
	"testing"

	"latchkey/client/wire"
	"latchkey/models"
)

// TestLocalScopes: a token narrower than UserScope is accepted only where its scope, or any, is
// named.
func TestLocalScopes(t *testing.T) {
	a := newAuthority(t, Options{Scopes: []string{"read", "metrics"}, Lag: 1 << 40})
	user := register(t, a, "ann@example.com")
	narrow, err := a.IssueFor(t.Context(), IssueRequest{UID: user.ID, Scope: "read", Label: "x"})
	must(t, err)
	wide := mustLogin(t, a, "ann@example.com")
	for _, test := range []struct {
		name, scope string
		issued      Issued
		want        error
	}{
		{"OK/login", "", wide, nil}, {"OK/login, any", "any", wide, nil},
		{"OK/login, named", "read", wide, nil}, {"OK/narrow, named", "read", narrow, nil},
		{"OK/narrow, any", wire.AnyScope, narrow, nil},
		{"ErrScope/narrow", "", narrow, wire.ErrScope},
		{"ErrScope/narrow, UserScope", wire.UserScope, narrow, wire.ErrScope},
		{"ErrScope/narrow, another", "metrics", narrow, wire.ErrScope},
		{"ErrScope/login, AdminScope", "AdminScope", wide, wire.ErrScope},
		{"ErrScope/unknown", "nothing", wide, wire.ErrScope},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("anyname", test.issued.Token)
		i, err := Local{Authority: a}.Verify(r, test.scope)
		if !errors.Is(err, test.want) || (err == nil) != (i.UID == user.ID) {
			t.Errorf("%s: %+v, %v, want %v", test.name, i, err, test.want)
		}
	}
	if err := models.CheckScopeName(wire.AnyScope); !errors.Is(err, models.ErrScopeName) {
		t.Errorf("an operator names a scope %q: %v", wire.AnyScope, err)
	}
}
