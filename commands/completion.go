package commands

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

//go:embed completion/*
var completionScripts embed.FS

// completionCmd is latchkey completion.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script; it calls the hidden command complete for each word.
func (c completionCmd) Run(std Console) error {
	script, err := completionScripts.ReadFile("completion/latchkey." + c.Shell)
	if err == nil {
		_, err = std.Out.Write(script)
	}
	return err
}

// completeCmd is the hidden command that the completion scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words after latchkey; the last is completed."`
}

// Run prints one candidate a line: the word, a tab, and its description.
func (c completeCmd) Run(std Console, app *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, one := range complete(app.Model.Node, words) {
		if _, err := fmt.Fprintf(std.Out, "%s\t%s\n", one.word, one.help); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a word that may stand at the cursor.
type candidate struct{ word, help string }

// complete returns the candidates for the last word. None means that the shell should offer files.
func complete(app *kong.Node, words []string) (found []candidate) {
	node, pending := app, (*kong.Flag)(nil)
	last := len(words) - 1
	for _, word := range words[:last] {
		switch {
		case pending != nil: // word is its value
			pending = nil
		case strings.HasPrefix(word, "--"):
			if flag := flagOf(node, strings.TrimPrefix(word, "--")); flag != nil && !flag.IsBool() {
				pending = flag
			}
		default:
			if child := findChild(node, word); child != nil {
				node = child
			}
		}
	}
	return matching(candidatesAt(node, pending, words[last]), words[last])
}

// candidatesAt returns what may follow: values of a flag, flags, commands or values of arguments.
func candidatesAt(node *kong.Node, pending *kong.Flag, word string) (all []candidate) {
	switch {
	case pending != nil:
		return enum(pending.Value)
	case strings.HasPrefix(word, "-"):
		for _, flag := range flagsOf(node) {
			all = append(all, candidate{"--" + flag.Name, describe(flag.Value)})
		}
		return all
	}
	for _, child := range node.Children {
		if !child.Hidden {
			all = append(all, candidate{child.Name, child.Help})
		}
	}
	for _, argument := range node.Positional {
		all = append(all, enum(argument)...)
	}
	return all
}

func enum(v *kong.Value) (values []candidate) {
	if v.Enum == "" {
		return nil
	}
	for _, value := range v.EnumSlice() {
		values = append(values, candidate{value, v.Help})
	}
	return values
}

// flagsOf returns the flags of a node, of its parents, and of the default command if it has one.
func flagsOf(node *kong.Node) []*kong.Flag {
	flags := slices.Concat(node.AllFlags(true)...)
	if node.DefaultCmd != nil {
		flags = append(flags, node.DefaultCmd.Flags...)
	}
	return flags
}

func flagOf(node *kong.Node, name string) *kong.Flag {
	for _, flag := range flagsOf(node) {
		if flag.Name == name {
			return flag
		}
	}
	return nil
}

func matching(all []candidate, prefix string) (found []candidate) {
	for _, one := range all {
		if strings.HasPrefix(one.word, prefix) {
			found = append(found, one)
		}
	}
	return found
}
