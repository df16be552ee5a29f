package auth

import (
	"strings"
	"testing"

	"latchkey/models"
)

// TestNoOracle: how many hashes a refused login costs tells nothing of whether its account exists.
func TestNoOracle(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	off := register(t, a, "off@example.com")
	if err := a.SetState(t.Context(), off.ID, models.Disabled); err != nil {
		t.Fatal(err)
	}
	accounts := map[string]string{"known": "ann@example.com", "disabled": "off@example.com",
		"unknown": "bob@example.com", "no account's form": "x", "a mobile number": "13800000000"}
	secrets := map[string]struct {
		text string
		want int64
	}{"wrong": {"secret2", 1}, "empty": {"", 0}, "too long": {strings.Repeat("x", MaxPassword+1), 0},
		"not Unicode": {"\xff\xfe", 1}}
	for whose, account := range accounts {
		for what, secret := range secrets {
			before := a.hasher.made.Load()
			if _, err := login(a, account, secret.text); err == nil {
				t.Errorf("%s, %s: let in", whose, what)
			}
			if got := a.hasher.made.Load() - before; got != secret.want {
				t.Errorf("%s, %s: %d hashes, want %d", whose, what, got, secret.want)
			}
		}
	}
	before := a.hasher.made.Load()
	if _, err := login(a, "off@example.com", "secret1"); err == nil || a.hasher.made.Load()-before != 1 {
		t.Errorf("disabled, right secret: %v after %d hashes", err, a.hasher.made.Load()-before)
	}
}
