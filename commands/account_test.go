//go:build !client && !windows

package commands

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// accountSlot returns how a command line names the account that a command works on: as an argument,
// or as the value of a flag. It is "" if the command takes no account of the store.
func accountSlot(command *kong.Node) string {
	group := command.ClosestGroup()
	if group != nil && group.Key == groupClient || command.FullPath() == "latchkey user add" {
		return ""
	}
	for _, argument := range command.Positional {
		if argument.Name == "account" {
			return "ACCOUNT"
		}
	}
	for _, flag := range command.Flags {
		if flag.PlaceHolder == "ACCOUNT" {
			return "--" + flag.Name + "=ACCOUNT"
		}
	}
	return ""
}

// TestAccountsAsStored: every command that takes an account requires the spelling that is stored.
// Only A to Z may be in either case. Otherwise it changes nothing and names the stored spelling.
func TestAccountsAsStored(t *testing.T) {
	t.Setenv("LATCHKEY_DATA", filepath.Join(t.TempDir(), "data"))
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	must := func(args ...string) string {
		t.Helper()
		out, said, code := run(t, "secret1\n", args...)
		if code != 0 {
			t.Fatalf("%v: exit %d, %s", args, code, said)
		}
		return out
	}
	for _, account := range []string{"straße@b.cn", "+8613800000000"} {
		must("user", "add", account, "--nickname", "Ann", "--secret-stdin", "--init")
		must("token", "issue", account)
	}
	state := func() string {
		return must("user", "list", "--json") + must("token", "list", "straße@b.cn", "--json") +
			must("token", "list", "+8613800000000", "--json")
	}
	rest := map[string]string{ // what each command needs beside the account
		"user passwd": "--secret-stdin", "user role": "admin", "user disable": "", "user enable": "",
		"user delete": "--yes", "token issue": "", "token list": "", "token revoke": "--yes",
	}
	before := state()
	for _, command := range model(t).Leaves(true) {
		slot, path := accountSlot(command), strings.TrimPrefix(command.FullPath(), "latchkey ")
		if slot == "" {
			continue
		}
		more, known := rest[path]
		if !known {
			t.Errorf("%s takes an account: add it to this test", path)
			continue
		}
		delete(rest, path)
		for typed, stored := range map[string]string{"strasse@b.cn": "straße@b.cn",
			"STRASSE@B.CN": "straße@b.cn", "straẞe@b.cn": "straße@b.cn", "8613800000000": "+8613800000000"} {
			line := strings.Fields(path + " " + strings.Replace(slot, "ACCOUNT", typed, 1) + " " + more)
			out, said, code := run(t, "secret2\n", line...)
			if code != 1 || out != "" || !strings.Contains(said, " "+stored+" ") {
				t.Errorf("%v: exit %d, %s%s, want 1 and %s", line, code, out, said, stored)
			}
		}
	}
	for path := range rest {
		t.Errorf("%s takes no account", path)
	}
	if after := state(); after != before {
		t.Errorf("something was changed: %s, before %s", after, before)
	}
	must("token", "list", "STRAßE@B.CN")
	must("user", "disable", "straße@b.cn")
}
