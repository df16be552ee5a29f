//go:build e2e || bench

package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recipe returns a fenced block of docs/howto/*/NAME.md, the one that opens with "```LANGUAGE
// BLOCK". swap holds pairs: a text, which the block must contain, and its replacement, such as the
// address of a test's server.
func recipe(tb testing.TB, name, block string, swap ...string) string {
	tb.Helper()
	found, _ := filepath.Glob("../docs/howto/*/" + name + ".md")
	if len(found) != 1 {
		tb.Fatalf("%d recipes %s.md in docs/howto, want 1", len(found), name)
	}
	page, err := os.ReadFile(found[0])
	must(tb, err)
	out, ok := codeBlock(string(page), block)
	if !ok {
		tb.Fatalf("%s has no block %q", found[0], block)
	}
	for i := 0; i < len(swap); i += 2 {
		if !strings.Contains(out, swap[i]) {
			tb.Fatalf("%s, %s: no %q to replace", found[0], block, swap[i])
		}
		out = strings.ReplaceAll(out, swap[i], swap[i+1])
	}
	return out
}

// codeBlock returns the text of a fenced block of a Markdown page: the one that opens with
// "```LANGUAGE NAME".
func codeBlock(page, name string) (text string, ok bool) {
	fence := regexp.MustCompile("(?m)^```\\w+ " + regexp.QuoteMeta(name) + "\n")
	at := fence.FindStringIndex(page)
	if at == nil {
		return "", false
	}
	text, _, ok = strings.Cut(page[at[1]:], "```")
	return text, ok
}
