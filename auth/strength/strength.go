// Package strength estimates how many guesses a secret withstands, by somebody who tries the most
// used ones, what is known of the account, sequences, rows of keys, repeats and dates before
// anything else. The same rule stands in strength.js, for the pages; both count in whole tenths of
// a bit, so that they agree to the last one. It is modelled on zxcvbn (D. Wheeler, USENIX Security
// 2016).
package strength

import (
	_ "embed" // the list and the script
	"math/bits"
	"strings"
)

// common is the list of the 10,000 most used secrets, the most used first, and then the most used
// English words that are not among them, in lower case; common.license says where they are from.
//
//go:embed common.txt
var common string

//go:embed strength.js
var script string

//go:embed common.license
var license string

// ScriptName is the base name under which the pages find Script.
const ScriptName = "strength.js"

// Script is the rule for browsers: a JavaScript module, with the list in it.
func Script() []byte {
	list := strings.ReplaceAll(strings.TrimSpace(common), "\n", " ")
	return []byte("/* The list:\n" + license + "*/\n" +
		strings.Replace(script, `"COMMON"`, `"`+list+`"`, 1))
}

// Most is how many characters of a secret are looked at, and mostAbout of each text about it, so
// that long ones cost little; MaxScore is the best score.
const (
	Most      = 100
	mostAbout = 300
	MaxScore  = 4
)

// Result is how a secret was judged.
type Result struct {
	Score  int    // 0 very weak, 1 weak, 2 fair, 3 good, 4 strong
	Tenths int    // tenths of a bit: a guesser needs about 2^(Tenths/10) tries
	Advice string // a sentence on what is weak and what to do about it
}

// Meter judges secrets. It is safe for concurrent use.
type Meter struct {
	ranks   map[string]int // from 1, the most used
	longest int            // characters
}

// New makes a Meter, which takes about a megabyte.
func New() *Meter {
	m := &Meter{ranks: make(map[string]int, 16_384)}
	for word := range strings.Lines(common) {
		word = strings.TrimSuffix(word, "\n")
		m.ranks[word] = len(m.ranks) + 1
		m.longest = max(m.longest, len(word))
	}
	return m
}

// Measure judges a secret, whose guesser knows about its account, nickname, site and the like.
func (m *Meter) Measure(secret string, about ...string) Result {
	s := newSearch(m, secret, about)
	s.words()
	s.sequences()
	s.walks()
	s.dates()
	tenths, covered, words := s.cheapest()
	switch s.whole() {
	case used:
		return Result{0, tenths, adviceUsed}
	case known:
		return Result{0, tenths, adviceKnown}
	}
	return Result{score(tenths), tenths, advice(len(s.raw), covered, words)}
}

// score puts a number of tenths of a bit on a scale from 0 to 4: 10^3, 10^6, 10^8 and 10^10 guesses
// are its steps, as they are zxcvbn's.
func score(tenths int) int {
	n := 0
	for _, step := range []int{100, 200, 266, 333} {
		if tenths >= step {
			n++
		}
	}
	return n
}

// kind is how a piece of a secret is guessed.
type kind int

const (
	other   kind = iota // character by character
	used                // from the list
	known               // from what is known about the account
	pattern             // a sequence, a row of keys, a repeat, a date
	kinds
)

// The sentences of Result.Advice.
const (
	adviceUsed = "This is close to one of the most used secrets and words. " +
		"Take a few words that do not belong together."
	adviceKnown = "This is close to the account, the nickname or the name of this site. " +
		"Take a few words that have nothing to do with them."
	advicePattern = "Sequences, rows of keys, repeats and dates are guessed first. " +
		"Add a word or two that do not belong together."
	adviceOther = "This can be guessed too easily. Add another word or two."
)

// advice finds the sentence by how many of n characters are covered by pieces of each kind, and by
// how many pieces are words of the list.
func advice(n int, covered [kinds]int, words int) string {
	switch {
	case words > 0 && words <= 2 && covered[used]*4 >= n*3:
		return adviceUsed
	case covered[known] > 0 && covered[known]*2 >= n:
		return adviceKnown
	case covered[pattern] > 0 && covered[pattern]*2 >= n:
		return advicePattern
	}
	return adviceOther
}

// What a piece costs, in tenths of a bit. A character that no piece covers counts as one of ten:
// few are chosen at random.
const (
	costPiece  = 10 // that it is a piece at all, and of which kind
	costSingle = 33
	costMark   = 10 // of a character that only alters the one before
	costKnown  = 30
	costWalk   = 60
)

// tenthsOf is about the logarithm of n to the base of two.
func tenthsOf(n int) int { return 10 * bits.Len(uint(n)) }
