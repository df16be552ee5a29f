package wire_test

import (
	"testing"

	"latchkey/client/wire"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"OK", "Grüße, 你好 🔑", "Grüße, 你好 🔑"},
		{"C0", "a\x00b\x07c\td\r\ne\x1b[31mf\x7fg", "a b c d  e [31mf g"},
		{"C1", "a\u009b31mb\u0085c", "a 31mb c"},
		{"bytes of C1", "a\x9b31mb", "a\ufffd31mb"},
		{"bidirectional override", "a\u202eb\u2066c", "a b c"},
		{"line separator", "a\u2028b", "a b"},
	} {
		if got := wire.Printable(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
