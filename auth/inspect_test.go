package auth

import (
	"errors"
	"strings"
	"testing"

	"latchkey/client/wire"
)

func TestInspect(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	token := mustLogin(t, a, user.Account).Token
	for text, want := range map[string]string{
		"": "not 56 characters", token: "Valid: token", token + "A": "not 56 characters",
		strings.Repeat("!", wire.TokenLength): "other than A-Z",
		strings.Repeat("A", wire.TokenLength): "not signed by a key",
	} {
		in, err := a.Inspect(t.Context(), text)
		got := in.String()
		if err != nil || !strings.Contains(got, want) || strings.Contains(got, token) {
			t.Errorf("%q: %q, %v, want %q without the token", text, got, err, want)
		}
	}
	must(t, a.Delete(t.Context(), user.ID))
	in, err := a.Inspect(t.Context(), token)
	if err != nil || !errors.Is(in.Refused, errRevoked) || !strings.Contains(in.String(), "deleted") {
		t.Errorf("after the account was deleted: %q, %v", in, err)
	}
}
