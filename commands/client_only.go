//go:build client || windows

package commands

// serverCommands are left out of a client-only binary, except for the part of token that is the
// client's.
type serverCommands struct {
	Token tokenCmd `cmd:"" group:"client" help:"Print a fresh token of your login."`
}

type tokenCmd struct {
	Get tokenGetCmd `cmd:"" default:"withargs" help:"Print a fresh token of your login."`
}

func sqliteVersion() string { return "" }
