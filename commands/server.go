//go:build !client && !windows

package commands

import "latchkey/models"

// serverCommands work on a data directory or a database.
type serverCommands struct {
	Serve   serveCmd   `cmd:"" default:"withargs" group:"server" help:"Serve HTTP (the default command)."`
	User    userCmd    `cmd:"" group:"server" help:"Accounts: add, list, passwd, role, disable, enable, delete."`
	Token   tokenCmd   `cmd:"" group:"server" help:"Tokens: issue, inspect, list, revoke."`
	Key     keyCmd     `cmd:"" group:"server" help:"Signing keys: list, rotate, retire, reseal."`
	Recover recoverCmd `cmd:"" group:"server" help:"Repair a damaged or restored database; revokes all tokens."`
	Migrate migrateCmd `cmd:"" group:"server" help:"Create or update the tables of a PostgreSQL database."`
	Move    moveCmd    `cmd:"" group:"server" help:"Move everything between SQLite and PostgreSQL."`
	Tune    tuneCmd    `cmd:"" group:"server" help:"Measure the cost of hashing here and recommend parameters."`
}

// tokenCmd is latchkey token: the user's own login, and the tokens of accounts.
type tokenCmd struct {
	Get     tokenGetCmd     `cmd:"" group:"client" default:"withargs" help:"Print a fresh token of your login."`
	Issue   tokenIssueCmd   `cmd:"" help:"Issue a token to an account and print it."`
	Inspect tokenInspectCmd `cmd:"" help:"Show whether a token is valid, and why not."`
	List    tokenListCmd    `cmd:"" help:"List the live tokens of an account."`
	Revoke  tokenRevokeCmd  `cmd:"" help:"Revoke tokens by value, by id, or all of an account."`
}

func sqliteVersion() string { return models.SQLiteVersion() }
