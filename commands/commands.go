// Package commands is the command line: it parses flags, opens a data directory or database, and
// calls auth, models, handlers and client. Each file holds one family of commands.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/auth"
	"latchkey/models"
)

// Set by the linker: make build.
var (
	version = "dev"
	commit  = "unknown"
)

// cli is every command, flag and environment variable (LATCHKEY_ and the flag's name).
type cli struct {
	Data       string `default:"./latchkey-data" placeholder:"DIR" help:"Data directory."`
	Database   string `placeholder:"URL" help:"PostgreSQL, postgres://…, in the place of SQLite."`
	SecretFile string `placeholder:"FILE" help:"Secret that seals the keys (default: DIR/secret)."`
	MinSecret  int    `default:"6" placeholder:"N" help:"Least characters of a new secret."`

	AccountTries int `default:"10" help:"Wrong logins a day to an account from one network."`
	NetworkTries int `default:"100" help:"Wrong logins an hour from one network."`

	SecretStrength int `default:"0" placeholder:"0-4" help:"Least strength of a new secret (3: good)."`

	Argon2 hashing `embed:"" prefix:"argon2-"`

	TokenTTL    time.Duration `default:"2h" help:"Lifetime of a token from a login."`
	MaxTokenTTL time.Duration `default:"4320h" help:"Longest lifetime of a service's token."`
	MaxSession  time.Duration `default:"720h" help:"How long after a login it can be renewed."`

	DatabaseConnections int `default:"10" help:"Connections to PostgreSQL."`

	RevocationLag time.Duration `default:"60s" help:"Longest time to trust tokens without the store."`
	KeyRotation   time.Duration `default:"2160h" help:"How long a key signs; 0 for no rotation."`

	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve HTTP (the default command)."`
	Migrate migrateCmd `cmd:"" help:"Set up a PostgreSQL database, or bring it up to date."`
	Move    moveCmd    `cmd:"" help:"Move everything from SQLite to PostgreSQL, or back."`
	Recover recoverCmd `cmd:"" help:"After damage, or an old copy put back: end all tokens, go on."`
	User    userCmd    `cmd:"" help:"Accounts: add, list, passwd, role, disable, enable, delete."`
	Token   tokenCmd   `cmd:"" help:"Tokens: issue, inspect, list, revoke."`
	Key     keyCmd     `cmd:"" help:"Signing keys: list, rotate, retire, reseal."`
	Tune    tuneCmd    `cmd:"" help:"Measure what hashing costs here, and recommend how much."`
	Version versionCmd `cmd:"" help:"Print the versions of Latchkey, Go and SQLite."`

	Login  loginCmd  `cmd:"" group:"client" help:"Log in once; the token is kept and renewed."`
	Logout logoutCmd `cmd:"" group:"client" help:"End the tokens of one's own logins."`
	Logins loginsCmd `cmd:"" group:"client" help:"List one's own logins."`
	Netrc  netrcCmd  `cmd:"" group:"client" help:"Print or replace lines of .netrc."`
	Git    gitCmd    `cmd:"" group:"client" name:"git-credential" help:"Credential helper for git."`
	Doctor doctorCmd `cmd:"" group:"client" help:"Say whether a proxy's log holds tokens."`
	Docker dockerCmd `cmd:"" group:"client" name:"docker-credential" help:"The same for Docker."`

	scopes       []string // of serve --scope
	cookieDomain string   // of serve --cookie-domain

	recover func(context.Context, *auth.KeyRing) error // of recover
}

// Validate refuses durations that make no sense; the parser calls it.
func (c *cli) Validate() error {
	if c.TokenTTL < time.Second || c.MaxTokenTTL < time.Second || c.MaxSession < time.Second {
		return errors.New("--token-ttl, --max-token-ttl and --max-session are at least 1s")
	}
	if c.MinSecret < 1 {
		return errors.New("--min-secret is at least 1")
	}
	if c.AccountTries < 1 || c.NetworkTries < 1 {
		return errors.New("--account-tries and --network-tries are at least 1")
	}
	if c.SecretStrength < 0 || c.SecretStrength > auth.MaxStrength {
		return fmt.Errorf("--secret-strength is 0 to %d", auth.MaxStrength)
	}
	if c.DatabaseConnections < 1 {
		return errors.New("--database-connections is at least 1")
	}
	if c.RevocationLag < time.Second {
		return errors.New("--revocation-lag is at least 1s")
	}
	if c.KeyRotation != 0 && c.KeyRotation < time.Hour {
		return errors.New("--key-rotation is at least 1h, or 0")
	}
	return nil
}

// hashing is the cost of a secret's hash, argon2id.
type hashing struct {
	Memory  uint32 `env:"LATCHKEY_ARGON2_MEMORY" default:"19456" help:"Memory of a hash, in KiB."`
	Time    uint32 `env:"LATCHKEY_ARGON2_TIME" default:"2" help:"Passes of a hash."`
	Threads uint8  `env:"LATCHKEY_ARGON2_THREADS" default:"1" help:"Threads of a hash."`
}

// Console is where a command reads and writes.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs one command line and returns the exit code: 0 done, 1 failed, 2 not understood.
func Run(ctx context.Context, args []string, std Console) int {
	var c cli
	exit := -1
	parser, err := kong.New(
		&c,
		kong.Name("latchkey"),
		kong.DefaultEnvars("LATCHKEY"),
		kong.Description(
			"A token server for HTTP Basic: log in once, use the token as the user name.",
		),
		kong.Writers(std.Out, std.Err),
		kong.Groups{"client": "On one's own machine, without a data directory:"},
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(std.Err, "latchkey:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(std.Err, "latchkey: %v (see latchkey --help)\n", err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&c, std); err != nil {
		fmt.Fprintln(std.Err, "latchkey:", strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	return 0
}

// data is an open data directory.
type data struct {
	store     *models.Store
	authority *auth.Authority
}

func (d data) Close() error { return d.store.Close() }

// open opens the data directory; with create it makes what a first start needs, but never a new
// secret or database where accounts once were.
func (c *cli) open(ctx context.Context, create bool, logger *slog.Logger) (data, error) {
	path := c.SecretFile
	if path == "" {
		path = filepath.Join(c.Data, "secret")
	}
	if _, err := os.Stat(c.Data); create && errors.Is(err, os.ErrNotExist) {
		if _, _, err := c.inspect(path); err != nil {
			return data{}, err
		}
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return data{}, err
		}
	}
	unlock, err := models.Lock(c.Data)
	if err != nil {
		return data{}, err
	}
	defer unlock() //nolint:errcheck // nothing was written to it
	secret, secretErr, err := c.inspect(path)
	if err != nil {
		return data{}, err
	}
	store, err := c.openStore(ctx, create)
	if err != nil {
		return data{}, err
	}
	if store.Shared() {
		if err := store.RequireSchema(ctx); err != nil {
			return data{}, errors.Join(err, store.Close())
		}
	}
	authority, err := c.authority(ctx, store, secret, secretErr, path, logger)
	if err != nil {
		return data{}, errors.Join(err, store.Close())
	}
	return data{store, authority}, nil
}

// openStore opens the database that is asked for.
func (c *cli) openStore(ctx context.Context, create bool) (*models.Store, error) {
	if c.Database == "" {
		return models.Open(ctx, c.Data, create)
	}
	return models.OpenPostgres(ctx, c.Database,
		models.PostgresOptions{Connections: c.DatabaseConnections, Application: "latchkey"})
}

// inspect reads the secret, or returns why it is missing, and changes nothing. Its error is what
// stops the start.
func (c *cli) inspect(path string) (secret auth.MasterKey, missing, err error) {
	secret, missing = auth.LoadMasterKey(path)
	if missing != nil && !errors.Is(missing, auth.ErrMasterKeyMissing) {
		return auth.MasterKey{}, nil, missing
	}
	if c.Database != "" {
		return secret, missing, nil
	}
	state, err := models.Inspect(c.Data)
	if err == nil && state != models.FilePresent && missing == nil && !c.isNew() {
		err = fmt.Errorf("the database in %s is missing or empty beside the secret %s: "+
			"restore it from a backup, or remove the secret to start anew", c.Data, path)
	}
	return secret, missing, err
}

// isNew says whether the data directory is missing or empty: then a secret that lies elsewhere was
// provided for a first start.
func (c *cli) isNew() bool {
	entries, err := os.ReadDir(c.Data)
	return len(entries) == 0 && (err == nil || errors.Is(err, os.ErrNotExist))
}

// authority brings the schema up to date and loads the keys, after making the secret of a first
// start.
func (c *cli) authority(
	ctx context.Context,
	store *models.Store,
	secret auth.MasterKey,
	secretErr error,
	path string,
	logger *slog.Logger,
) (*auth.Authority, error) {
	if secretErr != nil {
		if err := checkNoAccounts(ctx, store, secretErr); err != nil {
			return nil, err
		}
		var err error
		if secret, err = auth.CreateMasterKey(path); err != nil {
			return nil, err
		}
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := store.CheckMoved(ctx); err != nil {
		return nil, err
	}
	ring, err := auth.LoadKeyRing(ctx, store, secret, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.recover != nil {
		if err := c.recover(ctx, ring); err != nil {
			return nil, err
		}
	}
	return auth.NewAuthority(ctx, store, ring, auth.Options{
		TokenTTL: c.TokenTTL, MaxTokenTTL: c.MaxTokenTTL, MaxSession: c.MaxSession,
		Lag: c.RevocationLag, KeyRotation: c.KeyRotation, Scopes: c.scopes,
		CookieDomain: c.cookieDomain, AccountAttempts: c.AccountTries, NetworkAttempts: c.NetworkTries,
		MinPassword: c.MinSecret, PasswordStrength: c.SecretStrength, Logger: logger,
		Params: auth.Params{
			MemoryKiB: c.Argon2.Memory, Time: c.Argon2.Time, Threads: c.Argon2.Threads}})
}

// checkNoAccounts refuses to make a secret in the place of one that is missing.
func checkNoAccounts(ctx context.Context, store *models.Store, missing error) error {
	used, err := store.HasUsers(ctx)
	if err == nil && used {
		err = fmt.Errorf("%w, but there are accounts: put it back", missing)
	}
	if err != nil || !store.Shared() {
		return err
	}
	keys, err := store.Keys(ctx)
	if err == nil && len(keys) > 0 {
		err = fmt.Errorf("%w, but other nodes have one: copy it", missing)
	}
	return err
}

type versionCmd struct{}

// Run prints the versions.
func (versionCmd) Run(std Console) error {
	revision := commit
	if build, ok := debug.ReadBuildInfo(); ok && revision == "unknown" {
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	_, err := fmt.Fprintf(std.Out, "latchkey %s, commit %s, %s, SQLite %s\n",
		version, revision, runtime.Version(), models.SQLiteVersion())
	return err
}
