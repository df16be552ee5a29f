package models

import "testing"

func TestTokenIDText(t *testing.T) {
	id := TokenID{UID: 7, IssuedAt: 1795421052, Serial: 4095}
	if got, ok := ParseTokenID(id.String()); !ok || got != id {
		t.Errorf("%v, %v", got, ok)
	}
	for _, text := range []string{"", "7", "7-1795421052", "7-1795421052-4096", "07-1795421052-0",
		"7-1795421052-0-", "+7-1795421052-0", "7--1-0", "4294967296-1795421052-0",
		"7-1795421052-0\n", "7 -1795421052-0"} {
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
