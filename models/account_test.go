package models

import (
	"strings"
	"testing"
	"unicode"
)

func TestAccounts(t *testing.T) {
	tests := []struct {
		account string
		kind    ClientType
		ok      bool
	}{
		{"a@b.cn", EMail, true}, {"ann.b+tag@mail.example.com", EMail, true},
		{"a@localhost", EMail, true}, {"用户@例子.公司", EMail, true},
		{strings.Repeat("a", 248) + "@b.com", EMail, true},
		{strings.Repeat("a", 249) + "@b.com", EMail, false}, {"a@b", EMail, false},
		{"not-an-email", EMail, false}, {"a@b@c.de", EMail, false}, {"a:b@c.de", EMail, false},
		{"a b@c.de", EMail, false}, {"a@b..de", EMail, false}, {".a@b.de", EMail, false},
		{"a@b.de\n", EMail, false}, {"a\u202eb@c.de", EMail, false}, {"ａ@example.com", EMail, false},
		{"+8613800000000", Mobile, true}, {"8613800000000", Mobile, true}, {"1234", Mobile, false},
		{"0123456", Mobile, false}, {"12345a", Mobile, false}, {"++12345", Mobile, false},
		{"1234567890123456", Mobile, false}, {"a@b.cn", Mobile, false},
	}
	for _, test := range tests {
		v := ValidationError{}
		CheckAccount(v, test.kind, test.account)
		if (v.Err() == nil) != test.ok {
			t.Errorf("%q as %s: %v", test.account, test.kind, v)
		}
	}
}

// TestAccountKeyFolds: a letter has the same key in any case, whatever letters are next to it.
func TestAccountKeyFolds(t *testing.T) {
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if !unicode.IsLetter(r) {
			continue
		}
		want := AccountKey("a@" + string(r))
		got := AccountKey("ß@" + string(r))
		if strings.TrimPrefix(got, "ss") != strings.TrimPrefix(want, "a") {
			t.Errorf("%U: %q after ß, %q after a", r, got, want)
		}
		if got := AccountKey(want); got != want {
			t.Errorf("%U: %q, then %q", r, want, got)
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if got := AccountKey("a@" + string(other)); got != want {
				t.Errorf("%U: %q, and %U: %q", r, want, other, got)
			}
		}
	}
}

func FuzzAccountKey(f *testing.F) {
	for _, seed := range []string{"Ann@Example.com", "+49", "ß@ẞ.de", "İ@i.com", "ͅ@x", "Å@å.se",
		"ß@Ꮗ", "ꮗ@Ᏸ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, account string) {
		key := AccountKey(account)
		v := ValidationError{}
		CheckAccount(v, TypeOf(account), account)
		if v.Err() != nil {
			return // an invalid account need not have a stable key
		}
		if again := AccountKey(key); again != key {
			t.Errorf("%q: %q, then %q", account, key, again)
		}
		if AccountKey(strings.ToUpper(key)) != AccountKey(strings.ToLower(strings.ToUpper(key))) {
			t.Errorf("%q: upper and lower case differ", account)
		}
	})
}
