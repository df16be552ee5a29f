// Package strength estimates how many guesses a password withstands. The guesser first tries common
// passwords and words, what is known about the account, sequences, keyboard rows, repeats and
// dates. strength.js is the same algorithm for the pages. Both count in whole tenths of a bit, so
// that they agree exactly. The model is zxcvbn (D. Wheeler, USENIX Security 2016).
package strength

import (
	_ "embed" // the list and the script
	"math/bits"
	"strings"
)

// common lists the 10,000 most common passwords, then the most common other English words, each by
// rank, in lower case. common.license names the sources.
//
//go:embed common.txt
var common string

//go:embed strength.js
var script string

//go:embed common.license
var license string

// ScriptName is the file name of Script in the pages.
const ScriptName = "strength.js"

// Script returns a JavaScript module with the algorithm and the list.
func Script() []byte {
	list := strings.ReplaceAll(strings.TrimSpace(common), "\n", " ")
	return []byte("/* The list:\n" + license + "*/\n" +
		strings.Replace(script, `"COMMON"`, `"`+list+`"`, 1))
}

// MaxScore is the highest score.
const MaxScore = 4

// The number of characters that Measure reads, which bounds its cost.
const (
	maxLength = 100 // of the password
	maxAbout  = 300 // of each text about it
)

// Result is the estimate for one password.
type Result struct {
	Score  int    // 0 very weak, 1 weak, 2 fair, 3 good, 4 strong
	Tenths int    // tenths of a bit: about 2^(Tenths/10) guesses are needed
	Advice string // a sentence on what is weak and what to do about it
}

// Meter estimates the strength of passwords. It is safe for concurrent use.
type Meter struct {
	ranks   map[string]int // by word; 1 is the most common
	longest int            // characters of the longest word
}

// New returns a Meter, which needs about a megabyte.
func New() *Meter {
	m := &Meter{ranks: make(map[string]int, 16_384)}
	for word := range strings.Lines(common) {
		word = strings.TrimSuffix(word, "\n")
		m.ranks[word] = len(m.ranks) + 1
		m.longest = max(m.longest, len(word))
	}
	return m
}

// Measure estimates a password for a guesser who knows the texts in about: the account, the
// nickname, the site.
func (m *Meter) Measure(password string, about ...string) Result {
	s := newSearch(m, password, about)
	s.addPieces()
	tenths, covered, words := s.cheapest()
	switch s.whole() {
	case used:
		return Result{0, tenths, adviceUsed}
	case known:
		return Result{0, tenths, adviceKnown}
	}
	return Result{score(tenths), tenths, advice(len(s.raw), covered, words)}
}

// score returns the score for tenths of a bit. Like zxcvbn's, it rises at 10^3, 10^6, 10^8 and
// 10^10 guesses.
func score(tenths int) int {
	score := 0
	for _, step := range []int{100, 200, 266, 333} {
		if tenths >= step {
			score++
		}
	}
	return score
}

// kind is how a piece of a password is guessed.
type kind int

const (
	other   kind = iota // character by character
	used                // from the list
	known               // from what is known about the account
	pattern             // as a sequence, keyboard row, repeat or date
	kinds
)

// The sentences of Result.Advice.
const (
	adviceUsed = "This is close to one of the most common passwords and words. " +
		"Use a few unrelated words."
	adviceKnown = "This is close to the account, the nickname or the name of this site. " +
		"Use a few words that have nothing to do with them."
	advicePattern = "Sequences, keyboard rows, repeats and dates are guessed first. " +
		"Add one or two unrelated words."
	adviceOther = "This is too easy to guess. Add another word or two."
)

// advice returns the sentence for a password of n characters, of which pieces of each kind cover a
// number, with a number of words from the list.
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

// The costs of pieces, in tenths of a bit. A character that no piece covers counts as one of ten,
// because few are chosen at random.
const (
	costPiece  = 10 // of its kind and length
	costSingle = 33
	costMark   = 10 // of a character that only modifies the one before
	costKnown  = 30
	costWalk   = 60
)

// tenthsOf returns about ten times the binary logarithm of n.
func tenthsOf(n int) int { return 10 * bits.Len(uint(n)) }
