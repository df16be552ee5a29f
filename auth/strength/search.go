package strength

import (
	"strings"
	"unicode"
)

// text is a string that can be sliced by characters.
type text struct {
	s  string
	at []int // offset of each character, and of the end
}

func newText(runes []rune) text {
	var b strings.Builder
	t := text{at: make([]int, 0, len(runes)+1)}
	for _, r := range runes {
		t.at = append(t.at, b.Len())
		b.WriteRune(r)
	}
	t.at = append(t.at, b.Len())
	t.s = b.String()
	return t
}

func (t text) slice(from, to int) string { return t.s[t.at[from]:t.at[to]] }

// piece is a part of a password that is guessed as a whole.
type piece struct {
	start, cost int
	kind        kind
}

// search holds the pieces of one password.
type search struct {
	meter  *Meter
	about  map[string]bool
	window int // characters of the longest word
	raw    []rune
	folded []rune

	piecesTo [][]piece // by their end
}

func newSearch(m *Meter, password string, about []string) *search {
	s := &search{meter: m, window: m.longest}
	for _, r := range password {
		if len(s.raw) == maxLength {
			break
		}
		s.raw, s.folded = append(s.raw, r), append(s.folded, fold(r))
	}
	s.piecesTo = make([][]piece, len(s.raw)+1)
	s.about = knownWords(about)
	for word := range s.about {
		s.window = max(s.window, len([]rune(word)))
	}
	return s
}

// addPieces adds all pieces except repeats, which cheapest considers.
func (s *search) addPieces() {
	s.words()
	s.sequences()
	s.walks()
	s.dates()
}

func (s *search) offer(from, to, cost int, k kind) {
	s.piecesTo[to] = append(s.piecesTo[to], piece{from, costPiece + cost, k})
}

// fold returns the lower case of a letter of the Latin, Greek, Cyrillic and Armenian scripts, whose
// case mappings are the same in Go and JavaScript. The dotted capital I is an exception, so it
// stays.
func fold(r rune) rune {
	if r < 0x590 && r != 0x130 {
		return unicode.ToLower(r)
	}
	return r
}

// single returns the cost of a character that no piece covers.
func single(r rune) int {
	if r >= 0x300 && r <= 0x36f || r >= 0x200b && r <= 0x200d || r >= 0xfe00 && r <= 0xfe0f ||
		r >= 0x1f3fb && r <= 0x1f3ff {
		return costMark
	}
	return costSingle
}

// capitals returns what the capitals of a piece add to its cost.
func (s *search) capitals(from, to int) int {
	upper, lower := 0, 0
	for i := from; i < to; i++ {
		switch r := s.raw[i]; {
		case r != s.folded[i]:
			upper++
		case r >= 'a' && r <= 'z' || r >= 0x80:
			lower++
		}
	}
	atEdge := s.raw[from] != s.folded[from] || s.raw[to-1] != s.folded[to-1]
	switch {
	case upper == 0:
		return 0
	case lower == 0 || upper == 1 && atEdge:
		return 10
	}
	return 10 + 10*min(upper, lower)
}

// cheapest returns the minimum cost of guessing the password piece by piece, how many characters
// the pieces of each kind cover, and how many pieces are words of the list. At equal cost it
// prefers the last piece that begins first, so that both languages choose the same.
func (s *search) cheapest() (cost int, covered [kinds]int, words int) {
	n := len(s.raw)
	best, last := make([]int, n+1), make([]piece, n+1)
	run := make([]int, n+1) // by distance: how many characters are equal to those so far back
	for end := 1; end <= n; end++ {
		best[end] = best[end-1] + single(s.raw[end-1])
		last[end] = piece{end - 1, 0, other}
		consider := func(p piece) {
			c, l := best[p.start]+p.cost, last[end]
			if c < best[end] || c == best[end] &&
				(p.start < l.start || p.start == l.start && p.kind < l.kind) {
				best[end], last[end] = c, p
			}
		}
		for _, p := range s.piecesTo[end] {
			consider(p)
		}
		s.copies(end, run, consider)
	}
	for end := n; end > 0; end = last[end].start {
		covered[last[end].kind] += end - last[end].start
		if last[end].kind == used {
			words++
		}
	}
	return best[n], covered, words
}

// whole returns used or known if the whole password is such a word, and other otherwise. Then it is
// among the first guesses at any rank.
func (s *search) whole() kind {
	found := other
	for _, p := range s.piecesTo[len(s.raw)] {
		if p.start == 0 && p.kind != pattern && (found == other || p.kind < found) {
			found = p.kind
		}
	}
	return found
}

// copies considers repeats: for every length of at least two, the nearest earlier equal part.
func (s *search) copies(end int, run []int, consider func(piece)) {
	longest := 1
	for distance := 1; distance < end; distance++ {
		if s.folded[end-1] != s.folded[end-1-distance] {
			run[distance] = 0
			continue
		}
		run[distance]++
		for ; longest < run[distance]; longest++ {
			cost := costPiece + tenthsOf(distance) + tenthsOf(longest+1)
			consider(piece{end - longest - 1, cost, pattern})
		}
	}
}
