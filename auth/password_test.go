package auth

import (
	"errors"
	"strings"
	"testing"

	"latchkey/models"
)

func TestHasher(t *testing.T) {
	h, err := newHasher(cheap())
	must(t, err)
	long := strings.Repeat("x", MaxPassword)
	for _, password := range []string{"p", "p ", "p\x00", "пароль 密码", long} {
		hash, err := h.hash(t.Context(), origin{}, password)
		must(t, err)
		for _, other := range []string{password, password + " ", password[:len(password)-1], ""} {
			right, err := h.verify(t.Context(), origin{}, other, models.Credentials{PasswordHash: hash})
			if err != nil || right != (other == password) {
				t.Errorf("%q against the hash of %q: %v, %v", other, password, right, err)
			}
		}
	}
	if right, err := h.verify(t.Context(), origin{}, "", models.Credentials{}); right || err != nil {
		t.Errorf("no account: %v, %v", right, err)
	}
	hostile := "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA"
	if _, err := h.verify(t.Context(), origin{}, "x",
		models.Credentials{PasswordHash: hostile}); !errors.Is(err, ErrHash) {
		t.Errorf("a hash with 95 GiB: %v, want ErrHash", err)
	}
}

func FuzzPHC(f *testing.F) {
	f.Add(phc(DefaultParams(), make([]byte, saltSize), make([]byte, hashSize)))
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		p, salt, hash, err := parsePHC(s)
		if err == nil && (phc(p, salt, hash) != s || p.Check() != nil) {
			t.Errorf("%q is parsed as %+v", s, p)
		}
	})
}
