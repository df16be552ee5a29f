package strength

import (
	"slices"
	"strings"
)

// The letters that digits and signs stand for. Those for i may also stand for l.
const (
	signs   = "4@8(361!|0$5+72"
	letters = "aabcegiiiossttz"
)

func letterOf(r rune, second bool) rune {
	i := strings.IndexRune(signs, r)
	switch {
	case i < 0:
		return r
	case second && letters[i] == 'i':
		return 'l'
	}
	return rune(letters[i])
}

// words adds words of the list and known words, also reversed or with digits and signs in place of
// letters.
func (s *search) words() {
	n := len(s.raw)
	first, second := make([]rune, n), make([]rune, n)
	for i, r := range s.folded {
		first[i], second[i] = letterOf(r, false), letterOf(r, true)
	}
	back := slices.Clone(s.folded)
	slices.Reverse(back)
	plain, one, two, reversed := newText(s.folded), newText(first), newText(second), newText(back)
	for from := range n {
		for to := from + 2; to <= min(n, from+s.window); to++ {
			as := plain.slice(from, to)
			s.word(as, from, to, 0)
			s.word(reversed.slice(n-to, n-from), from, to, 10)
			read := one.slice(from, to)
			if read == as {
				continue
			}
			changed := 0
			for i := from; i < to; i++ {
				if first[i] != s.folded[i] {
					changed += 10
				}
			}
			s.word(read, from, to, changed)
			if again := two.slice(from, to); again != read {
				s.word(again, from, to, changed)
			}
		}
	}
}

// word adds a piece if its reading is a word.
func (s *search) word(as string, from, to, extra int) {
	if rank, ok := s.meter.ranks[as]; ok {
		s.offer(from, to, tenthsOf(rank)+extra+s.capitals(from, to), used)
	}
	if s.about[as] {
		s.offer(from, to, costKnown+extra+s.capitals(from, to), known)
	}
}

// knownWords returns the words in texts about an account: each text, its parts, and the ends of
// long numbers, which may be telephone numbers without the country code.
func knownWords(about []string) map[string]bool {
	found := map[string]bool{}
	add := func(word string) {
		weight := 0
		for _, r := range word {
			weight += min(2, 1+int(r)/0x80)
		}
		if weight < 3 {
			return
		}
		found[word] = true
		if strings.Trim(word, "0123456789") == "" {
			for i := 1; i <= len(word)-6; i++ {
				found[word[i:]] = true
			}
		}
	}
	isBlank := func(r rune) bool { return r == ' ' || r == '@' }
	isSign := func(r rune) bool {
		return r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}
	for _, whole := range append([]string{"latchkey"}, about...) {
		whole = strings.Map(fold, head(whole, maxAbout))
		add(whole)
		for _, split := range []func(rune) bool{isBlank, isSign} {
			for _, part := range strings.FieldsFunc(whole, split) {
				add(part)
			}
		}
	}
	return found
}

// head returns the first n characters of a text.
func head(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// sequences adds sequences of at least three characters with a constant step of up to five, such as
// abc and 97531.
func (s *search) sequences() {
	for from := 0; from+2 < len(s.folded); from++ {
		step := s.folded[from+1] - s.folded[from]
		if step == 0 || step > 5 || step < -5 {
			continue
		}
		cost := 47
		switch r := s.folded[from]; {
		case strings.ContainsRune("az019", r):
			cost = 20
		case r >= '0' && r <= '9':
			cost = 33
		}
		if step < 0 {
			cost += 10
		}
		if step != 1 && step != -1 {
			cost += 20
		}
		for to := from + 2; to < len(s.folded) && s.folded[to]-s.folded[to-1] == step; to++ {
			s.offer(from, to+1, cost+tenthsOf(to+1-from)+s.capitals(from, to+1), pattern)
		}
	}
}

// rows are the rows and other paths on keyboards. Each is also read backwards.
const rows = "qwertyuiop[] asdfghjkl;' zxcvbnm,./ 1234567890-= !@#$%^&*()_+ qwertzuiopü " +
	"asdfghjklöä yxcvbnm azertyuiop qsdfghjklm wxcvbn йцукенгшщзхъ фывапролджэ ячсмитьбю " +
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol. !qaz@wsx#edc$rfv%tgb^yhn&ujm 1q2w3e4r5t6y7u8i9o0p " +
	"q1w2e3r4t5y6u7i8o9p0 qazwsxedcrfvtgbyhnujmikolp qawsedrftgyhujikolp zaq1xsw2cde3vfr4 " +
	"147258369 741852963 789456123 159753"

// walks adds at least three adjacent keys of a row.
func (s *search) walks() {
	reversed := []rune(rows)
	slices.Reverse(reversed)
	all := strings.Fields(rows + " " + string(reversed))
	plain := newText(s.folded)
	for from := 0; from+2 < len(s.folded); from++ {
		for _, row := range all {
			for to := from + 3; to <= len(s.folded) &&
				strings.Contains(row, plain.slice(from, to)); to++ {
				s.offer(from, to, costWalk+tenthsOf(to-from)+s.capitals(from, to), pattern)
			}
		}
	}
}
