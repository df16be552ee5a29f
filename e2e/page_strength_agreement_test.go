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

// strengthCase is a password and what an attacker knows about its owner. The JSON is that of the
// script.
type strengthCase struct {
	Password string   `json:"secret"`
	About    []string `json:"about"`
}

// measureByScript measures passwords with the pages' script, in Node.
func measureByScript(t *testing.T, rows []strengthCase) (results []strength.Result) {
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

// randomPasswords makes passwords as people and attackers do: words, altered words, keyboard rows,
// dates, all of Unicode. They are the same in each run.
func randomPasswords(t *testing.T, n int) (rows []strengthCase) {
	t.Helper()
	list, err := os.ReadFile("../auth/strength/common.txt")
	must(t, err)
	words, random := strings.Fields(string(list)), rand.New(rand.NewPCG(1, 2))
	pick := func(from string) string { r := []rune(from); return string(r[random.IntN(len(r))]) }
	parts := []func() string{
		func() string { return words[random.IntN(len(words))] },
		func() string { return strings.ToUpper(words[random.IntN(1000)]) },
		func() string {
			return strings.NewReplacer("a", "4", "e", "3", "l", "1", "o", "0", "s",
				"$").Replace(words[random.IntN(3000)])
		},
		func() string { return strconv.Itoa(random.IntN(100_000_000)) },
		func() string {
			return strconv.Itoa(1+random.IntN(31)) + pick(".-/ ") + strconv.Itoa(1+random.IntN(12)) +
				pick(".-/ ") + strconv.Itoa(1900+random.IntN(200))
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
	about := [][]string{{}, {"ann.smith@example.com", "Zoë Ann", "login.example.org"},
		{"4915112345678", "Юлия", "::1"}, {strings.Repeat("é1", 200)}}
	for range n {
		var password strings.Builder
		for range 1 + random.IntN(5) {
			password.WriteString(parts[random.IntN(len(parts))]())
		}
		rows = append(rows, strengthCase{password.String(), about[random.IntN(len(about))]})
	}
	return rows
}

// TestStrengthAgrees measures the test vectors, 5,000 random passwords and every character of the
// first three Unicode planes. The server and the pages' script agree to a tenth of a bit.
func TestStrengthAgrees(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../auth/strength/testdata/vectors.json")
	must(t, err)
	var rows []strengthCase
	must(t, json.Unmarshal(text, &rows))
	vectors := len(rows)
	rows = append(rows, randomPasswords(t, 5000)...)
	for from := rune(0); from < 0x30000; from += 90 {
		var all strings.Builder
		for r := from; r < from+90; r++ { // surrogates become U+FFFD
			all.WriteRune(r)
		}
		rows = append(rows, strengthCase{all.String(), []string{strings.ToUpper(all.String())}})
	}
	meter, scores, wrong := strength.New(), [strength.MaxScore + 1]int{}, 0
	for i, got := range measureByScript(t, rows) {
		want := meter.Measure(rows[i].Password, rows[i].About...)
		scores[want.Score]++
		if got != want {
			if wrong++; wrong < 10 {
				t.Errorf("%q about %q: the script says %+v, the server %+v", rows[i].Password, rows[i].About,
					got, want)
			}
		}
	}
	t.Logf("%d vectors, %d passwords in all, by score %v, %d differ", vectors, len(rows), scores,
		wrong)
	for score, n := range scores {
		if n < 50 {
			t.Errorf("%d passwords have score %d, want at least 50", n, score)
		}
	}
}
