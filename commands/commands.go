// Package commands is the command line: it parses flags, opens a data directory or a database, and
// calls auth, models, handlers and client. Each file holds one family of commands.
//
// The build tag "client" (and GOOS=windows) leaves out every command that needs a data directory;
// what remains builds without cgo on every platform.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Exit codes: success, failure, and a command line that was not understood.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

// cli is every command and flag.
type cli struct {
	serverCommands
	clientCommands

	Help       helpCmd       `cmd:"" group:"about" help:"Show help for a command."`
	Version    versionCmd    `cmd:"" group:"about" help:"Print the versions of Latchkey and Go."`
	Completion completionCmd `cmd:"" group:"about" help:"Print a completion script for a shell."`
	Man        manCmd        `cmd:"" group:"about" help:"Print the manual page."`
	Complete   completeCmd   `cmd:"" hidden:"" help:"Print completions of a command line."`

	ShowVersion versionFlag `name:"version" help:"Print the version and exit."`
}

// clientCommands run on any machine, without a data directory.
type clientCommands struct {
	Login  loginCmd  `cmd:"" group:"client" help:"Log in once; the token is stored and renewed."`
	Logout logoutCmd `cmd:"" group:"client" help:"Revoke the tokens of your logins."`
	Logins loginsCmd `cmd:"" group:"client" help:"List your logins."`
	Netrc  netrcCmd  `cmd:"" group:"client" help:"Print or replace entries of .netrc."`
	Git    gitCmd    `cmd:"" group:"client" name:"git-credential" help:"Credential helper for git."`
	Docker dockerCmd `cmd:"" group:"client" name:"docker-credential" help:"Credential helper for Docker."`
	Doctor doctorCmd `cmd:"" group:"client" help:"Check whether a proxy's log contains tokens."`
}

// Groups of commands and flags, in the order of the help.
const (
	groupServer = "server" // commands on a data directory
	groupServe  = "serve"  // flags of serve alone
	groupConfig = "config" // flags that serve and the other commands share
	groupClient = "client"
	groupAbout  = "about"
)

func groups() []kong.Group {
	return []kong.Group{
		{Key: groupServer, Title: "Server and data directory:"},
		{Key: groupClient, Title: "On your own machine, without a data directory:"},
		{Key: groupAbout, Title: "About this program:"},
		{Key: groupServe, Title: "Serving:"},
		{Key: groupConfig, Title: "Data directory and server:"},
	}
}

// Console is where a command reads and writes.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
}

// usageError is a command line that cannot be run as it stands.
type usageError string

// Error returns the message.
func (e usageError) Error() string { return string(e) }

// errReported is a failure that the command has reported itself.
var errReported = errors.New("reported")

// Run runs one command line and returns the exit code: 0 for success, 1 for a failure, 2 for a
// command line that was not understood.
func Run(ctx context.Context, args []string, std Console) int {
	var c cli
	exit := -1
	parser, err := newParser(&c, std, func(code int) { exit = code })
	if err != nil {
		return fail(std, exitFailure, err)
	}
	args = flagsLast(parser.Model.Node, helpLast(args))
	if err := checkCommand(parser.Model.Node, args); err != nil {
		return fail(std, exitUsage, err)
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help or --version
		return exit
	}
	if err != nil {
		return fail(std, exitUsage, fmt.Errorf("%s (see latchkey --help)", plainUsage(err.Error())))
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(std, parser)
	var usage usageError
	switch {
	case errors.Is(err, errReported):
		return exitFailure
	case errors.As(err, &usage):
		return fail(std, exitUsage, err)
	case err != nil:
		return fail(std, exitFailure, err)
	}
	return exitOK
}

// fail prints an error on one line.
func fail(std Console, code int, err error) int {
	fmt.Fprintln(std.Err, "latchkey:", printable(err))
	return code
}

func newParser(c *cli, std Console, exit func(int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("latchkey"),
		kong.Description("A token server for HTTP Basic: log in once, send a token with every request."),
		kong.Writers(std.Out, std.Err),
		kong.ExplicitGroups(groups()),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), durationMapper{}),
		kong.TypeMapper(reflect.TypeFor[netip.Prefix](), networkMapper{}),
		kong.TypeMapper(reflect.TypeFor[slog.Level](), levelMapper{}),
		kong.PostBuild(nameVariables),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(describe),
		kong.Exit(exit),
	)
}

// nameVariables lets the environment set the configuration flags, and no other. An empty variable
// counts as unset.
func nameVariables(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && isConfiguration(flag) {
			if name := variable(flag); os.Getenv(name) != "" {
				flag.Envs, flag.Tag.Envs = []string{name}, []string{name}
			}
		}
		return next(nil)
	})
}

// variable returns the name of the variable that sets a flag, or "".
func variable(flag *kong.Flag) string {
	switch {
	case flag == nil:
		return ""
	case isConfiguration(flag):
		return "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
	}
	return strings.Join(flag.Tag.Envs, "")
}

// isConfiguration reports whether a flag configures the server, rather than one run of a command.
func isConfiguration(flag *kong.Flag) bool {
	return flag.Group != nil && (flag.Group.Key == groupServe || flag.Group.Key == groupConfig)
}

// describe returns the help of a flag or argument with its default and its variable.
func describe(v *kong.Value) string {
	var notes []string
	if note := defaultNote(v); note != "" {
		notes = append(notes, note)
	}
	if name := variable(v.Flag); name != "" {
		notes = append(notes, "$"+name)
	}
	if len(notes) == 0 {
		return v.Help
	}
	if text, ok := strings.CutSuffix(v.Help, ")."); ok { // its last words are a note already
		return text + "; " + strings.Join(notes, "; ") + ")."
	}
	return strings.TrimSuffix(v.Help, ".") + " (" + strings.Join(notes, "; ") + ")."
}

// defaultNote names the default of a flag, unless its help does.
func defaultNote(v *kong.Value) string {
	switch {
	case v.Flag == nil || v.Name == "help" || v.Name == "version":
		return ""
	case strings.Contains(v.Help, "default"):
		return ""
	case v.Required:
		return "required"
	case v.HasDefault:
		return "default: " + v.Default
	case v.IsBool():
		return "default: off"
	}
	return "default: none"
}

// checkCommand rejects an unknown command. The parser would take it for an argument of a default
// command.
func checkCommand(app *kong.Node, args []string) error {
	node := app
	for at := skipFlags(app, args, 0); at < len(args) && len(node.Children) > 0; at++ {
		word := args[at]
		child := findChild(node, word)
		if child == nil {
			return unknownCommand(node, word)
		}
		node = child
		at = skipFlags(app, args, at+1) - 1
	}
	return nil
}

// unknownCommand returns the error for a word that is not a command of node. It returns nil if the
// word may be an argument of node's default command.
func unknownCommand(node *kong.Node, word string) error {
	best, least := "", 3 // more than two changes are no typing error
	for _, child := range node.Children {
		if d := editDistance(word, child.Name); !child.Hidden && d < least {
			best, least = child.Name, d
		}
	}
	command := strings.TrimSpace(node.Path() + " " + word)
	switch {
	case best != "":
		return fmt.Errorf("unknown command %q: did you mean %q?", command,
			strings.TrimSpace(node.Path()+" "+best))
	case node.DefaultCmd != nil && len(node.DefaultCmd.Positional) > 0:
		return nil
	}
	return fmt.Errorf("unknown command %q (see latchkey --help)", command)
}

// editDistance is the number of letters to insert, delete or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// helpLast turns "help COMMAND" into "COMMAND --help".
func helpLast(args []string) []string {
	if len(args) == 0 || args[0] != "help" || slices.Contains(args, "--help") {
		return args
	}
	return append(slices.Clone(args[1:]), "--help")
}

// flagsLast moves flags that stand before the command behind it: "--data DIR user list" works like
// "user list --data DIR".
func flagsLast(app *kong.Node, args []string) []string {
	end := skipFlags(app, args, 0)
	if end == 0 || end >= len(args) {
		return args
	}
	after, node := end, app
	for ; after < len(args); after++ {
		child := findChild(node, args[after])
		if child == nil {
			break
		}
		node = child
	}
	if node == app {
		return args
	}
	return slices.Concat(args[end:after], args[:end], args[after:])
}

// skipFlags returns the index of the first argument, at or after at, that is neither a flag nor the
// value of one.
func skipFlags(app *kong.Node, args []string, at int) int {
	for at < len(args) && strings.HasPrefix(args[at], "-") && args[at] != "-" && args[at] != "--" {
		flag := findFlag(app, strings.TrimPrefix(args[at], "--"))
		if at++; flag != nil && !flag.IsBool() {
			at++
		}
	}
	return at
}

// findFlag finds a flag of any command by its name. A flag written as name=value is not found.
func findFlag(node *kong.Node, name string) *kong.Flag {
	for _, flag := range node.Flags {
		if flag.Name == name {
			return flag
		}
	}
	for _, child := range node.Children {
		if flag := findFlag(child, name); flag != nil {
			return flag
		}
	}
	return nil
}

func findChild(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// helpCmd is latchkey help. Run rewrites its command line to --help; it stands in the model so that
// it is listed.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command (default: all commands)."`
}
