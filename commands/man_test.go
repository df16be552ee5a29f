//go:build !client && !windows

package commands

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// update makes TestReference write the file: go test ./commands -run TestReference -update.
var update = flag.Bool("update", false, "write docs/reference/commands.md")

const referencePath = "../docs/reference/commands.md"

// TestReference: docs/reference/commands.md is what latchkey man --markdown prints.
func TestReference(t *testing.T) {
	out, _, code := run(t, "", "man", "--markdown")
	if code != 0 {
		t.Fatalf("exit %d", code)
	}
	if *update {
		if err := os.WriteFile(referencePath, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(stored) != out {
		t.Error("docs/reference/commands.md is out of date: go test ./commands -run TestReference -update")
	}
}

// TestManPageIsComplete: every command, argument, flag and variable of the model is in the manual page.
func TestManPageIsComplete(t *testing.T) {
	page, _, code := run(t, "", "man")
	if code != 0 || !strings.HasPrefix(page, ".TH LATCHKEY 1") {
		t.Fatalf("exit %d, %.40q", code, page)
	}
	contains := func(text string) {
		if !strings.Contains(page, roffText(text)) {
			t.Errorf("missing: %s", text)
		}
	}
	commands := 0
	for _, command := range model(t).Leaves(true) {
		commands++
		contains(usage(command))
		for _, argument := range command.Positional {
			contains(describe(argument))
		}
	}
	eachFlag(t, func(_ *kong.Node, flag *kong.Flag) {
		contains(flag.String())
		contains(describe(flag.Value))
	})
	if commands < 20 {
		t.Errorf("%d commands", commands)
	}
}
