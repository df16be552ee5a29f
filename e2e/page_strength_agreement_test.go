//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"latchkey/auth/strength"
)

// judged is a secret and what its guesser knows.
type judged struct {
	Secret string   `json:"secret"`
	About  []string `json:"about"`
}

// byScript judges secrets by the pages' script, in Node.
func byScript(t *testing.T, rows []judged) (results []strength.Result) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "strength.mjs")
	must(t, os.WriteFile(script, strength.Script(), 0o600))
	in, err := json.Marshal(rows)
	must(t, err)
	node := exec.Command("node", "testdata/strength.mjs", script)
	node.Stdin = bytes.NewReader(in)
	out, err := node.Output()
	must(t, err)
	must(t, json.Unmarshal(out, &results))
	return results
}

// secrets makes up secrets as people and attackers do: words, spoilt words, rows, dates, all of Unicode.
func secrets(t *testing.T, n int) (rows []judged) {
	t.Helper()
	list, err := os.ReadFile("../auth/strength/common.txt")
	must(t, err)
	words, random := strings.Fields(string(list)), rand.New(rand.NewPCG(1, 2))
	pick := func(from string) string { r := []rune(from); return string(r[random.IntN(len(r))]) }
	parts := []func() string{
		func() string { return words[random.IntN(len(words))] },
		func() string { return strings.ToUpper(words[random.IntN(1000)]) },
		func() string {
			return strings.NewReplacer("a", "4", "e", "3", "l", "1", "o", "0", "s", "$").Replace(words[random.IntN(3000)])
		},
		func() string { return strconv.Itoa(random.IntN(100_000_000)) },
		func() string {
			return strconv.Itoa(1+random.IntN(31)) + pick(".-/ ") + strconv.Itoa(1+random.IntN(12)) + pick(".-/ ") +
				strconv.Itoa(1900+random.IntN(200))
		},
		func() string {
			from := random.IntN(8)
			return "qwertyuiop"[from:][:random.IntN(3)+1] + "1qaz2wsx3edc"[from:]
		},
		func() string { return strings.Repeat(pick("aZ9!é秘😀"), 1+random.IntN(8)) },
		func() string { return pick(" -_.!?") },
		func() string {
			return pick("ÀéßñþŐŁžĐİıΣςЖщՄאבجد日本語のパ한글😀🏳️‍🌈🦊\u0301\u200d\u202e\x00\t\U0010fffd")
		},
		func() string { return string(rune(0x20 + random.IntN(0xd7e0))) },
		func() string { return "Ann" + pick("0123") + "smith" },
	}
	about := [][]string{{}, {"ann.smith@example.com", "Zoë Ann", "login.example.org"}, {"4915112345678", "Юлия", "::1"},
		{strings.Repeat("é1", 200)}}
	for range n {
		var secret strings.Builder
		for range 1 + random.IntN(5) {
			secret.WriteString(parts[random.IntN(len(parts))]())
		}
		rows = append(rows, judged{secret.String(), about[random.IntN(len(about))]})
	}
	return rows
}

// TestStrengthAgrees: the server and the pages judge the vectors, 5,000 secrets of all kinds and every character of
// the first three planes alike, to a tenth of a bit.
func TestStrengthAgrees(t *testing.T) {
	text, err := os.ReadFile("../auth/strength/testdata/vectors.json")
	must(t, err)
	var rows []judged
	must(t, json.Unmarshal(text, &rows))
	vectors := len(rows)
	rows = append(rows, secrets(t, 5000)...)
	for from := rune(0); from < 0x30000; from += 90 {
		var all strings.Builder
		for r := from; r < from+90; r++ { // those that UTF-16 keeps for pairs become U+FFFD
			all.WriteRune(r)
		}
		rows = append(rows, judged{all.String(), []string{strings.ToUpper(all.String())}})
	}
	meter, scores, wrong := strength.New(), [strength.MaxScore + 1]int{}, 0
	for i, got := range byScript(t, rows) {
		want := meter.Measure(rows[i].Secret, rows[i].About...)
		scores[want.Score]++
		if got != want {
			if wrong++; wrong < 10 {
				t.Errorf("%q about %q: the pages say %+v, the server %+v", rows[i].Secret, rows[i].About, got, want)
			}
		}
	}
	t.Logf("%d vectors, %d secrets in all, by score %v, %d judged differently", vectors, len(rows), scores, wrong)
	for score, n := range scores {
		if n < 50 {
			t.Errorf("only %d secrets have the score %d", n, score)
		}
	}
}
