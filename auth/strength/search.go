package strength

import (
	"strings"
	"unicode"
)

// text is a string whose characters can be counted.
type text struct {
	s  string
	at []int // where each character begins, and the end
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

// piece is a stretch of a secret, up to some end, that is guessed as a whole.
type piece struct {
	start, cost int
	kind        kind
}

// search finds the pieces of one secret.
type search struct {
	meter  *Meter
	about  map[string]bool
	window int // longest word, in characters
	raw    []rune
	folded []rune
	ending [][]piece // by where they end
}

func newSearch(m *Meter, secret string, about []string) *search {
	s := &search{meter: m, window: m.longest}
	for _, r := range secret {
		if len(s.raw) == Most {
			break
		}
		s.raw, s.folded = append(s.raw, r), append(s.folded, fold(r))
	}
	s.ending = make([][]piece, len(s.raw)+1)
	s.about = knownWords(about)
	for word := range s.about {
		s.window = max(s.window, len([]rune(word)))
	}
	return s
}

func (s *search) offer(from, to, cost int, k kind) {
	s.ending[to] = append(s.ending[to], piece{from, costPiece + cost, k})
}

// fold makes upper case lower case in the scripts whose case has not changed for long: Latin,
// Greek, Cyrillic, Armenian. The dotted capital I stays: in JavaScript it becomes two characters.
func fold(r rune) rune {
	if r < 0x590 && r != 0x130 {
		return unicode.ToLower(r)
	}
	return r
}

// single is what a character costs that no piece covers.
func single(r rune) int {
	if r >= 0x300 && r <= 0x36f || r >= 0x200b && r <= 0x200d || r >= 0xfe00 && r <= 0xfe0f ||
		r >= 0x1f3fb && r <= 0x1f3ff {
		return costMark
	}
	return costSingle
}

// capitals is what the capitals of a stretch add to the cost of its letters.
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

// cheapest is the cost of the cheapest way to guess the secret piece by piece, how many characters
// pieces of each kind cover, and how many are words of the list. Of two ways at the same cost it
// takes the one whose last piece begins first, so that both languages take the same.
func (s *search) cheapest() (cost int, covered [kinds]int, words int) {
	n := len(s.raw)
	best, last := make([]int, n+1), make([]piece, n+1)
	run := make([]int, n+1) // by distance: how many characters are the same at that distance
	for end := 1; end <= n; end++ {
		best[end] = best[end-1] + single(s.raw[end-1])
		last[end] = piece{end - 1, 0, other}
		try := func(p piece) {
			c, l := best[p.start]+p.cost, last[end]
			if c < best[end] || c == best[end] &&
				(p.start < l.start || p.start == l.start && p.kind < l.kind) {
				best[end], last[end] = c, p
			}
		}
		for _, p := range s.ending[end] {
			try(p)
		}
		s.copies(end, run, try)
	}
	for end := n; end > 0; end = last[end].start {
		covered[last[end].kind] += end - last[end].start
		if last[end].kind == used {
			words++
		}
	}
	return best[n], covered, words
}

// whole says whether the secret as a whole is a word of the list, or else one of what is known:
// then it is among the first guesses, whatever its rank.
func (s *search) whole() kind {
	found := other
	for _, p := range s.ending[len(s.raw)] {
		if p.start == 0 && p.kind != pattern && (found == other || p.kind < found) {
			found = p.kind
		}
	}
	return found
}

// copies tries, for every length of at least two, the nearest earlier stretch that is the same.
func (s *search) copies(end int, run []int, try func(piece)) {
	longest := 1
	for distance := 1; distance < end; distance++ {
		if s.folded[end-1] != s.folded[end-1-distance] {
			run[distance] = 0
			continue
		}
		run[distance]++
		for ; longest < run[distance]; longest++ {
			cost := costPiece + tenthsOf(distance) + tenthsOf(longest+1)
			try(piece{end - longest - 1, cost, pattern})
		}
	}
}
