//go:build !client && !windows

package commands

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// run runs a command line without a terminal, and without variables of the person who runs the tests.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, Console{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

// model is the command line as kong sees it.
func model(t *testing.T) *kong.Node {
	t.Helper()
	parser, err := newParser(&cli{}, Console{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Node
}

// eachFlag visits every flag of every visible command.
func eachFlag(t *testing.T, visit func(command *kong.Node, flag *kong.Flag)) {
	t.Helper()
	for _, command := range model(t).Leaves(true) {
		for _, flag := range command.Flags {
			visit(command, flag)
		}
	}
}

func TestEveryFlagShowsItsDefault(t *testing.T) {
	eachFlag(t, func(command *kong.Node, flag *kong.Flag) {
		help := describe(flag.Value)
		if !strings.Contains(help, "default") && !strings.Contains(help, "required") {
			t.Errorf("%s --%s: no default in %q", command.FullPath(), flag.Name, help)
		}
	})
}

func TestClientCommandsShowNoServerFlags(t *testing.T) {
	clients := 0
	eachFlag(t, func(command *kong.Node, flag *kong.Flag) {
		group := command.ClosestGroup()
		if group == nil || group.Key != groupClient {
			return
		}
		clients++
		if isConfiguration(flag) {
			t.Errorf("%s shows --%s", command.FullPath(), flag.Name)
		}
	})
	if clients == 0 {
		t.Error("no client command found")
	}
}

func TestOwnFlagsStandFirst(t *testing.T) {
	for command, own := range map[string]string{"user add": "--nickname", "serve": "--addr", "key retire": "--now"} {
		out, _, code := run(t, "", append(strings.Fields(command), "--help")...)
		at, shared := strings.Index(out, own), strings.Index(out, "Data directory and server:")
		if code != 0 || at < 0 || shared < at || strings.Index(out, "--data") < shared {
			t.Errorf("%s --help: exit %d, %s at %d, shared flags at %d", command, code, own, at, shared)
		}
	}
}

// TestEnvironment: only configuration flags are read from the environment.
func TestEnvironment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, name := range []string{"NOW", "ADMIN", "INIT", "YES", "JSON", "ALL", "DRY_RUN", "SECRET_STDIN", "LABEL"} {
		t.Setenv("LATCHKEY_"+name, "1")
	}
	t.Setenv("LATCHKEY_DATA", dir)
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	add := []string{"user", "add", "ann@example.com", "--nickname", "Ann", "--secret-stdin"}
	if _, said, code := run(t, "secret1\n", add...); code != 1 || !strings.Contains(said, "--init") {
		t.Errorf("LATCHKEY_INIT: exit %d, %s", code, said)
	}
	out, said, code := run(t, "secret1\n", append(add, "--init")...)
	if code != 0 || !strings.HasPrefix(out, "user ann@example.com") {
		t.Errorf("LATCHKEY_ADMIN: exit %d, %s%s", code, out, said)
	}
	if _, said, code := run(t, "", "key", "retire", "1"); code != 1 || !strings.Contains(said, "pass --now") {
		t.Errorf("LATCHKEY_NOW: exit %d, %s", code, said)
	}
	if _, said, code := run(t, "", "user", "delete", "ann@example.com"); code != 2 {
		t.Errorf("LATCHKEY_YES: exit %d, %s", code, said)
	}
	t.Setenv("LATCHKEY_TOKEN_TTL", "soon")
	t.Setenv("LATCHKEY_TOKENS", filepath.Join(t.TempDir(), "tokens.json"))
	if _, said, code := run(t, "", "logins"); code != 0 {
		t.Errorf("logins with a bad LATCHKEY_TOKEN_TTL: exit %d, %s", code, said)
	}
	if _, said, code := run(t, "", "user", "list"); code != 2 || !strings.Contains(said, "LATCHKEY_TOKEN_TTL") {
		t.Errorf("user list with a bad LATCHKEY_TOKEN_TTL: exit %d, %s", code, said)
	}
}

// TestNothingIsCreated: only serve, and user add with --init, create a data directory, and no
// command line that is rejected leaves anything behind.
func TestNothingIsCreated(t *testing.T) {
	tests := []struct {
		args string
		code int
	}{
		{"user add ann@example.com --nickname Ann --secret-stdin", 1},
		{"user add a@b.cn --nickname Ann --secret-stdin --init --argon2-memory 1", 2},
		{"user add a@b.cn --nickname Ann --secret-stdin --init --min-secret 0", 2},
		{"user list", 1}, {"user delete ann@example.com --yes", 1}, {"user role ann@example.com admin", 1},
		{"token issue ann@example.com", 1}, {"token list ann@example.com", 1}, {"token inspect x", 1},
		{"token revoke x", 1}, {"key list", 1}, {"key rotate", 1}, {"key retire 1 --yes --now", 1},
		{"key reseal", 1}, {"recover --yes", 1},
		{"serve --addr 127.0.0.1:0 --scope Bad@", 2}, {"serve --addr 127.0.0.1:0 --argon2-memory 1", 2},
		{"user add ann@example.com --nickname Y --secret-stdin --init", 2},
		{"user add x --nickname Ann --secret-stdin --init", 2},
		{"user add ann@example.com --nickname Ann --secret-stdin --init --min-secret 20", 1},
		{"user add ann@example.com --nickname Ann --secret-stdin --init --secret-file /nowhere/key", 1},
		{"serve --addr 127.0.0.1:0 --secret-file /nowhere/key", 1},
		{"serve --addr 127.0.0.1:0 --database mysql://x", 2}, {"serve --addr :99999", 2},
		{"serve --addr nowhere", 2}, {"serve --addr 127.0.0.1:0 --token-ttl 31d", 2},
		{"serve --addr 127.0.0.1:0 --token-ttl 60d --max-session 30d", 2},
		{"serve --addr 127.0.0.1:0 --public-url nowhere", 2}, {"serve --addr 127.0.0.1:0 extra", 2},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			_, said, code := run(t, "secret1\n", append(strings.Fields(test.args), "--data", dir)...)
			if code != test.code || strings.Count(said, "\n") != 1 {
				t.Errorf("exit %d, want %d: %s", code, test.code, said)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the data directory was created")
			}
		})
	}
}

// TestChangesNameTheDirectory: every command that changes something says where.
func TestChangesNameTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("LATCHKEY_DATA", dir)
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	steps := []string{
		"user add ann@example.com --nickname Ann --secret-stdin --init",
		"user add root@example.com --nickname Root --admin --secret-stdin",
		"user passwd ann@example.com --secret-stdin", "user role ann@example.com admin",
		"user role ann@example.com user", "user disable ann@example.com", "user enable ann@example.com",
		"token issue ann@example.com", "token issue ann@example.com --json",
		"token revoke --all ann@example.com --yes", "key rotate --json", "key reseal",
		"user add third@example.com --nickname Third --secret-stdin --json",
		"user delete ann@example.com --yes", "recover --yes",
	}
	for _, step := range steps {
		out, said, code := run(t, "secret1\n", strings.Fields(step)...)
		if code != 0 || !strings.Contains(out+said, dir) {
			t.Errorf("%s: exit %d, %s%s", step, code, out, said)
		}
	}
}

// TestLastAdministrator: no command removes the last active administrator.
func TestLastAdministrator(t *testing.T) {
	t.Setenv("LATCHKEY_DATA", filepath.Join(t.TempDir(), "data"))
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	for _, name := range []string{"root", "second"} {
		args := strings.Fields("user add " + name + "@example.com --nickname Root --admin --secret-stdin --init")
		if _, said, code := run(t, "secret1\n", args...); code != 0 {
			t.Fatal(said)
		}
	}
	if _, said, code := run(t, "", "user", "disable", "second@example.com"); code != 0 {
		t.Errorf("disable one of two: %s", said)
	}
	for _, step := range []string{"role root@example.com user", "disable root@example.com",
		"delete root@example.com --yes"} {
		_, said, code := run(t, "", strings.Fields("user "+step)...)
		if code != 1 || !strings.Contains(said, "last active administrator") {
			t.Errorf("%s: exit %d, %s", step, code, said)
		}
	}
	if _, said, code := run(t, "", "user", "delete", "second@example.com", "--yes"); code != 0 {
		t.Errorf("delete the disabled one: %s", said)
	}
}

func TestUnknownCommand(t *testing.T) {
	for typed, want := range map[string]string{"usr": `"user"`, "servee": `"serve"`, "tokn": `"token"`,
		"user lst": `"user list"`, "help serv": `"serve"`, "serve --adr x": `"--addr"`, "token lst": `"token list"`,
		"token isue a@b.de": `"token issue"`, "--data d usr list": `"user"`, "key": "incomplete",
		"zzz": "see latchkey --help"} {
		_, said, code := run(t, "", strings.Fields(typed)...)
		if code != 2 || !strings.Contains(said, want) {
			t.Errorf("%s: exit %d, %s", typed, code, said)
		}
	}
}

// TestFlagsMayStandFirst: flags before the command work like flags behind it.
func TestFlagsMayStandFirst(t *testing.T) {
	tests := map[string]string{
		"--data d user list --json":  "user list --data d --json",
		"--data=d user list":         "user list --data=d",
		"--bridge --data d serve":    "serve --bridge --data d",
		"--addr :1":                  "--addr :1",
		"--data user user list":      "user list --data user",
		"user list --data d":         "user list --data d",
		"--data d token issue a@b.c": "token issue --data d a@b.c",
	}
	for typed, want := range tests {
		if got := strings.Join(flagsLast(model(t), strings.Fields(typed)), " "); got != want {
			t.Errorf("%s: got %s, want %s", typed, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "30d": 720 * time.Hour,
		"1d12h": 36 * time.Hour, "0d": 0, "0": 0, "1h30m": 90 * time.Minute} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "1", "2x", "1.5d", "-1d", "1d-1h", "30 d", "999999d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// TestWideCharacters: names in wide characters do not shift the columns.
func TestWideCharacters(t *testing.T) {
	var rows table
	rows.add("NAME", "ROLE")
	rows.add("王小明", "user")
	rows.add("Ann", "admin")
	var out bytes.Buffer
	if err := rows.print(&out); err != nil {
		t.Fatal(err)
	}
	if want := "NAME    ROLE\n王小明  user\nAnn     admin\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestVersion(t *testing.T) {
	flag, _, code := run(t, "", "--version")
	command, _, _ := run(t, "", "version")
	if code != 0 || flag != command || !strings.Contains(flag, "SQLite") {
		t.Errorf("exit %d, %q and %q", code, flag, command)
	}
}

// TestHint: the command that the start-up banner names opens the server's own store from any working
// directory, and shows no password.
func TestHint(t *testing.T) {
	here, err := filepath.Abs("d")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]storeFlags{
		" --data " + here:        {Data: "d"},
		" --data '/srv/my data'": {Data: "/srv/my data"},
		` --data /d --database "$LATCHKEY_DATABASE"`: {
			Data: "/d", Database: "postgres://latchkey:hunter2@db/latchkey?sslmode=disable"},
		" --data /d --database 'postgres://db/latchkey?sslmode=disable'": {
			Data: "/d", Database: "postgres://db/latchkey?sslmode=disable"},
		" --data /d --secret-file /run/key": {Data: "/d", SecretFile: "/run/key"},
	}
	for want, flags := range tests {
		if got := flags.flagsAgain(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestUsageMessages: a wrong value is explained in words, without names of the parser's types.
func TestUsageMessages(t *testing.T) {
	tests := map[string]string{
		"serve --trusted-proxy 10.0.0.1":             `"10.0.0.1" is not a network`,
		"serve --log-level loud":                     `"loud" is not a level; write debug`,
		"serve --log-format xml":                     `--log-format is one of "text", "json", not "xml"`,
		"serve --bridge=maybe":                       `"maybe" is neither true nor false`,
		"serve --token-ttl 400d":                     "--token-ttl (400d) must not exceed --max-session (30d)",
		"serve --token-ttl -1d":                      `"-1d" is not a value`,
		"serve --addr :99999":                        "--addr is HOST:PORT",
		"serve --database mysql://x":                 "--database: ",
		"serve --argon2-memory 1":                    "--argon2-memory",
		"key retire x":                               `"x" is not a number`,
		"user passwd":                                "<account> is missing",
		"user add a@b.cn":                            "--nickname=NAME is missing",
		"user add a@b.cn --nickname Y":               "nickname: ",
		"user add a@b.cn --nickname Ann --type 7":    "--type is 100",
		"completion tcsh":                            `"fish", not "tcsh"`,
		"user list":                                  `(from LATCHKEY_MIN_SECRET): "many" is not a number`,
		"token issue a@b.cn --ttl 0s":                "--ttl: ",
		"doctor --url foo --log x":                   "--url is the URL of a service",
		"login http://example.com --account x":       "use https",
		"login https://a.example.com --secret-stdin": "the account is missing",
	}
	for line, want := range tests {
		if line == "user list" {
			t.Setenv("LATCHKEY_MIN_SECRET", "many")
		} else {
			t.Setenv("LATCHKEY_MIN_SECRET", "") // an empty variable counts as unset
		}
		_, said, code := run(t, "", strings.Fields(line)...)
		if code != 2 || !strings.Contains(said, want) || strings.Contains(said, "but got") {
			t.Errorf("%s: exit %d, %s, want %s", line, code, said, want)
		}
	}
}

// TestNothingChanged: a command that changes nothing does not say that it revoked tokens.
func TestNothingChanged(t *testing.T) {
	t.Setenv("LATCHKEY_DATA", filepath.Join(t.TempDir(), "data"))
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	add := strings.Fields("user add ann@example.com --nickname Ann --secret-stdin --init")
	if _, said, code := run(t, "secret1\n", add...); code != 0 {
		t.Fatal(said)
	}
	for _, line := range []string{"user enable ann@example.com", "user role ann@example.com user"} {
		out, said, code := run(t, "", strings.Fields(line)...)
		if code != 0 || !strings.Contains(out, "nothing changed") || strings.Contains(out, "revoked") {
			t.Errorf("%s: exit %d, %s%s", line, code, out, said)
		}
	}
}

// TestSeveralLines: each "-" reads the next line of standard input.
func TestSeveralLines(t *testing.T) {
	t.Setenv("LATCHKEY_DATA", filepath.Join(t.TempDir(), "data"))
	t.Setenv("LATCHKEY_ARGON2_MEMORY", "7168")
	add := strings.Fields("user add ann@example.com --nickname Ann --secret-stdin --init")
	if _, said, code := run(t, "secret1\n", add...); code != 0 {
		t.Fatal(said)
	}
	one, _, _ := run(t, "", "token", "issue", "ann@example.com")
	two, _, _ := run(t, "", "token", "issue", "ann@example.com")
	out, said, code := run(t, one+two, "token", "revoke", "-", "-")
	if code != 0 || strings.Count(out, "revoked") != 2 {
		t.Errorf("exit %d, %s%s", code, out, said)
	}
	if _, said, code := run(t, "", "token", "revoke", "-"); code != 1 || strings.Contains(said, "EOF") {
		t.Errorf("no line: exit %d, %s", code, said)
	}
}

// TestInterrupted: an interrupt ends a question.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	_, err := interruptible(ctx, strings.NewReader(""), func() (string, error) {
		<-block
		return "", nil
	})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}
