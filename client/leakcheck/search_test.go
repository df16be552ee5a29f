package leakcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

const token = "MT0aF9-_0aF9-_0aF9-_0aF9-_0aF9-_0aF9-_0aF9-_0aF9-_0aF9-_"

func inBase64(before string) string {
	return base64.StdEncoding.EncodeToString([]byte(before + token + ":"))
}

// feed writes a text in parts of step bytes.
func (s *search) feed(text []byte, step int) {
	for len(text) > 0 {
		n := min(step, len(text))
		_, _ = s.Write(text[:n])
		text = text[n:]
	}
}

// TestSearch: a token is found in every form and however the writes split it.
func TestSearch(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	tests := []struct {
		name, text string
		want       bool
	}{
		{"OK/plain", "1.2.3.4 - " + token + " [x] \"GET /\"\n", true},
		{"OK/no line end", token, true},
		{"OK/base64", "Basic " + inBase64("") + "\n", true},
		{"OK/base64 of a password", "Basic " + inBase64("anyname:") + "\n", true},
		{"OK/base64, one byte before", inBase64("x"), true},
		{"OK/base64, two bytes before", inBase64("xy"), true},
		{"OK/base64url", strings.NewReplacer("+", "-", "/", "_").Replace(inBase64("x")), true},
		{"OK/hex", hex.EncodeToString([]byte(token)), true},
		{"OK/HEX", strings.ToUpper(hex.EncodeToString([]byte(token))), true},
		{"OK/JSON", `{"user_id":"` + token + `"}` + "\n", true},
		{"OK/after a long line", long + "\n" + token + "\n", true},
		{"OK/late in a long line", long[20:] + token + long, true},
		{"OK/binary", "\x00\xff\x00" + token + "\x00", true},
		{"OK/cut off", token[:55] + "\n", true},
		{"OK/on two lines", token[:20] + "\n" + token[20:], true},
		{"no token", "1.2.3.4 - - [x]\n", false},
		{"another token", strings.ReplaceAll(token, "0", "1") + "\n", false},
		{"a few characters", token[:20] + "\n" + token[40:], false},
	}
	for _, test := range tests {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			if step == 1 && len(test.text) > 1000 {
				continue
			}
			s := newSearch(map[string][][]byte{token: tokenForms(token)})
			s.feed([]byte(test.text), step)
			if _, got := s.found[token]; got != test.want {
				t.Errorf("%s, %d bytes at a time: %v", test.name, step, got)
			}
			if len(s.line) > 3*maxLine {
				t.Errorf("%s: %d bytes in memory", test.name, len(s.line))
			}
		}
	}
}

// FuzzSearch: a token is found wherever it is, and nowhere else.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("before"), []byte("after\n"), 3)
	f.Add(bytes.Repeat([]byte("x"), maxLine), []byte{}, 1000)
	f.Fuzz(func(t *testing.T, before, after []byte, step int) {
		step = 1 + max(step, -step)%(1<<16)
		for _, middle := range []string{token, ""} {
			text := bytes.Join([][]byte{before, []byte(middle), after}, nil)
			s := newSearch(map[string][][]byte{token: {[]byte(token)}})
			s.feed(text, step)
			if _, got := s.found[token]; got != bytes.Contains(text, []byte(token)) {
				t.Errorf("found: %v", got)
			}
		}
	})
}

// TestRedact: a line is shown without the token, without control characters and not too long.
func TestRedact(t *testing.T) {
	euro := strings.Repeat("€", 100)
	for _, test := range []struct{ name, line, want string }{
		{"plain", "- " + token + " x\r\n", "- [TOKEN] x"},
		{"half", "- " + token[:28] + " x", "- [TOKEN] x"},
		{"controls", "\x1b[31m\t" + token + "\u009b\u202e\n", " [31m [TOKEN]  "},
		{"long", euro + token + euro, "…\ufffd" + euro[:99] + "[TOKEN]" + euro[:141] + "\ufffd\ufffd…"},
	} {
		if got := redact(test.line, token); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
