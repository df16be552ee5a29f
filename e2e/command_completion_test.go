//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandCompletion: each shell loads the script and completes a command, a flag and a value with it.
func TestCommandCompletion(t *testing.T) {
	t.Parallel()
	shells := map[string][]string{
		"bash": {"bash", "--norc", "-c", `source <(latchkey completion bash)
			COMP_WORDS=(latchkey $1); [ -z "$2" ] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_latchkey; printf '%s\n' "${COMPREPLY[@]}"`, "bash"},
		"fish": {"fish", "--no-config", "-c", `latchkey completion fish | source
			set -l blank " "; test -n "$argv[2]"; and set blank ""
			complete -C "latchkey $argv[1]$blank"`},
		"zsh": {"zsh", "-f", "-c", `autoload -U compinit; compinit -u -d "$TMPDIR/dump"
			source <(latchkey completion zsh)
			_describe() { print -rl -- "${(@P)2}"; }; _files() { :; }
			words=(latchkey ${(z)1}); [ -z "$2" ] && words+=(""); CURRENT=$#words
			_latchkey`, "zsh"},
	}
	tests := []struct{ typed, whole, want string }{ // whole is empty after a blank: a new word begins
		{"us", "x", "user"}, {"user", "", "passwd"}, {"user list --js", "x", "--json"},
		{"serve --registration", "", "closed"},
	}
	for shell, command := range shells {
		t.Run(shell, func(t *testing.T) {
			for _, test := range tests {
				cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], test.typed, test.whole)...)
				cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir())
				out, err := cmd.CombinedOutput()
				found := false
				for line := range strings.Lines(string(out)) {
					word := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' || r == ':' || r == '\n' })
					found = found || len(word) > 0 && word[0] == test.want
				}
				if err != nil || !found {
					t.Errorf("%q: %v, want %s in\n%s", test.typed, err, test.want, out)
				}
			}
		})
	}
}

// TestCommandManPage: man formats the manual page without a warning.
func TestCommandManPage(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "latchkey.1")
	must(t, os.WriteFile(page, []byte(mustRun(t, t.TempDir(), "", "man")+"\n"), 0o644))
	cmd := exec.CommandContext(t.Context(), "man", "--warnings", "-l", page)
	cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() != 0 || !strings.Contains(string(out), "latchkey serve") {
		t.Errorf("%v\n%s\n%.300s", err, said.String(), out)
	}
}
