//go:build !client && !windows

package commands

import (
	"strings"
	"testing"
)

// TestComplete asks for completions of the last word; a blank at the end completes a new one.
func TestComplete(t *testing.T) {
	tests := []struct{ line, want, never string }{
		{"", "serve user token key", "complete"},
		{"us", "user", "serve"},
		{"user ", "add list passwd role disable enable delete", "serve"},
		{"user role ann@example.com ", "user admin", "list"},
		{"user list --", "--data --json --database", "--bridge --now"},
		{"--da", "--data --database", "--json"},
		{"logins --", "--tokens --json", "--data"},
		{"serve --registration ", "open closed", "--data"},
		{"user list --data ", "", "add --json"},
		{"git-credential ", "", "add"},
		{"completion ", "bash zsh fish", ""},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			out, said, code := run(t, "", append([]string{"complete", "--"}, strings.Split(test.line, " ")...)...)
			if code != 0 {
				t.Fatalf("exit %d, %s", code, said)
			}
			words := map[string]bool{}
			for line := range strings.Lines(out) {
				word, _, _ := strings.Cut(line, "\t")
				words[word] = true
			}
			for _, word := range strings.Fields(test.want) {
				if !words[word] {
					t.Errorf("%s is missing", word)
				}
			}
			for _, word := range strings.Fields(test.never) {
				if words[word] {
					t.Errorf("%s is offered", word)
				}
			}
		})
	}
}
