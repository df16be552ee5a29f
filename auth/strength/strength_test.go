package strength

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// vector is a row of testdata/vectors.json. The script is tested with it, too (e2e).
type vector struct {
	Name     string
	Password string `json:"secret"`
	About    []string
	Score    int
	Tenths   int
	Advice   string
}

func vectors(t *testing.T) (rows []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil || len(rows) < 50 {
		t.Fatalf("%d vectors: %v", len(rows), err)
	}
	return rows
}

func TestVectors(t *testing.T) {
	m, scores := New(), [MaxScore + 1]int{}
	for _, v := range vectors(t) {
		got := m.Measure(v.Password, v.About...)
		if want := (Result{v.Score, v.Tenths, v.Advice}); got != want {
			t.Errorf("%s: %+v, want %+v", v.Name, got, want)
		}
		scores[got.Score]++
	}
	for score, n := range scores {
		if n < 3 {
			t.Errorf("only %d vectors have the score %d", n, score)
		}
	}
}

// TestListed: each of the 10,000 most common passwords is very weak, also with a capital or
// reversed.
func TestListed(t *testing.T) {
	m := New()
	for i, word := range strings.Fields(common)[:10_000] {
		back := []byte(word)
		slices.Reverse(back)
		for _, as := range []string{word, strings.ToUpper(word[:1]) + word[1:], string(back)} {
			if got := m.Measure(as); got.Score != 0 || got.Advice != adviceUsed {
				t.Fatalf("number %d, as %q: %+v", i+1, as, got)
			}
		}
	}
}

// TestList: the list is in the form that the script requires: printable ASCII without quotes, each
// word once.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	for _, word := range strings.Split(strings.TrimSuffix(common, "\n"), "\n") {
		if len(word) < 3 || seen[word] || strings.ContainsFunc(word, func(r rune) bool {
			return r <= ' ' || r > '~' || r == '"' || r == '\\' || r >= 'A' && r <= 'Z'
		}) {
			t.Errorf("%q", word)
		}
		seen[word] = true
	}
	if len(seen) != 16383 {
		t.Errorf("%d words", len(seen))
	}
	s := string(Script())
	if strings.Contains(s, `"COMMON"`) || !strings.Contains(s, "Permission is hereby granted") {
		t.Error("the script lacks the list or its license")
	}
}

// hostile returns the passwords of 1,024 bytes that cost most.
func hostile() map[string]string {
	return map[string]string{
		"one letter":   strings.Repeat("a", 1024),
		"two letters":  strings.Repeat("ab", 512),
		"digits":       strings.Repeat("1234567890", 102),
		"signs":        strings.Repeat("4@8(361!|0$5+72", 68),
		"keys":         strings.Repeat("qwertyuiop1qaz2wsx", 56),
		"dates":        strings.Repeat("31.12.1999", 102),
		"words":        strings.Repeat("p@ssw0rdletmein", 68),
		"four bytes":   strings.Repeat("😀", 256),
		"marks":        "a" + strings.Repeat("\u0301", 511),
		"capitals":     strings.Repeat("PaSsWoRd", 128),
		"broken bytes": strings.Repeat("\xff", 1024),
	}
}

// longAbout returns the longest texts about an account, and two that are longer than possible.
func longAbout() []string {
	return []string{strings.Repeat("a.b1c", 50), strings.Repeat("N", 22),
		strings.Repeat("host.", 50), strings.Repeat("12345678", 2000), strings.Repeat("ab.", 5000)}
}

// TestCost: the number of pieces and known words, on which the time depends, is bounded.
func TestCost(t *testing.T) {
	m := New()
	for name, password := range hostile() {
		s := newSearch(m, password, longAbout())
		s.addPieces()
		pieces := 0
		for _, to := range s.piecesTo {
			pieces += len(to)
		}
		t.Logf("%-12s %d pieces, %d known words", name, pieces, len(s.about))
		if len(s.raw) > maxLength || pieces > 1000 || len(s.about) > 400 {
			t.Errorf("%s: %d characters, %d pieces, %d known words, want at most %d, 1000 and 400",
				name, len(s.raw), pieces, len(s.about), maxLength)
		}
	}
}

func BenchmarkMeasure(b *testing.B) {
	m := New()
	for name, password := range hostile() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.Measure(password, longAbout()...)
			}
		})
	}
	b.Run("ordinary", func(b *testing.B) {
		for b.Loop() {
			m.Measure("correct horse 7", "ann@example.com", "Ann", "login.example.com")
		}
	})
}

func FuzzMeasure(f *testing.F) {
	m := New()
	for _, password := range hostile() {
		f.Add(password, "ann@example.com")
	}
	for _, seed := range []string{"", "\x00", "İıſK", "\ufffd", "\U0010ffff", "é", "שלום", "👨‍👩‍👧‍👦"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, password, about string) {
		got := m.Measure(password, about)
		n := min(maxLength, utf8.RuneCountInString(password))
		if got.Score < 0 || got.Score > MaxScore || got.Tenths < 0 || got.Tenths > n*costSingle ||
			got.Advice == "" {
			t.Errorf("%q: %+v", password, got)
		}
		if again := m.Measure(password, about); again != got {
			t.Errorf("%q: %+v and %+v", password, got, again)
		}
		if more := m.Measure(password, about, password); more.Tenths > got.Tenths {
			t.Errorf("%q: knowing more costs more: %+v and %+v", password, got, more)
		}
	})
}
