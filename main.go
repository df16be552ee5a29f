// Latchkey is a token server for HTTP Basic: log in once, use the token as the Basic user name.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"latchkey/auth"
	"latchkey/handlers"
	"latchkey/models"
)

// Set by the linker: make build.
var (
	version = "dev"
	commit  = "unknown"
)

// cli is every command, flag and environment variable (LATCHKEY_ and the flag's name).
type cli struct {
	Data          string `default:"./latchkey-data" placeholder:"DIR" help:"Data directory."`
	SecretFile    string `placeholder:"FILE" help:"Secret that seals the keys (default: DIR/secret)."`
	Argon2Memory  uint32 `default:"19456" placeholder:"KIB" help:"Memory of a secret's hash, in KiB."`
	Argon2Time    uint32 `default:"2" placeholder:"N" help:"Passes of a secret's hash."`
	Argon2Threads uint8  `default:"1" placeholder:"N" help:"Threads of a secret's hash."`
	MinSecret     int    `default:"6" placeholder:"N" help:"Least characters of a new secret."`

	TokenTTL time.Duration `default:"2h" help:"Lifetime of a token from a login."`

	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve HTTP (the default command)."`
	User    userCmd    `cmd:"" help:"Accounts: add, list, passwd, role, disable, enable, delete."`
	Token   tokenCmd   `cmd:"" help:"Tokens: issue, inspect."`
	Version versionCmd `cmd:"" help:"Print the versions of Latchkey, Go and SQLite."`
}

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// run runs one command line and returns the exit code: 0 done, 1 failed, 2 not understood.
func run(ctx context.Context, args []string, io console) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("latchkey"), kong.DefaultEnvars("LATCHKEY"),
		kong.Description("A token server for HTTP Basic: log in once, use the token as the user name."),
		kong.Writers(io.out, io.err), kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(io.err, "latchkey:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(io.err, "latchkey: %v (see latchkey --help)\n", err)
		return 2
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&c, io); err != nil {
		fmt.Fprintln(io.err, "latchkey:", strings.ReplaceAll(err.Error(), "\n", "; "))
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

// open opens the data directory; with create it makes what a first start needs, but never a new secret or
// database where accounts once were.
func (c *cli) open(ctx context.Context, create bool, logger *slog.Logger) (data, error) {
	path := c.SecretFile
	if path == "" {
		path = filepath.Join(c.Data, "secret")
	}
	secret, secretErr := auth.LoadSecret(path)
	if secretErr != nil && !errors.Is(secretErr, auth.ErrSecretMissing) {
		return data{}, secretErr
	}
	if state, err := models.Inspect(c.Data); err != nil {
		return data{}, err
	} else if state != models.FilePresent && secretErr == nil {
		return data{}, fmt.Errorf("the database in %s is missing or empty beside the secret %s: "+
			"restore it from a backup, or remove the secret to start anew", c.Data, path)
	}
	if create {
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return data{}, err
		}
	}
	store, err := models.Open(ctx, c.Data, create)
	if err != nil {
		return data{}, err
	}
	authority, err := c.authority(ctx, store, secret, secretErr, path, logger)
	if err != nil {
		return data{}, errors.Join(err, store.Close())
	}
	return data{store, authority}, nil
}

// authority brings the schema up to date and loads the keys, after making the secret of a first start.
func (c *cli) authority(ctx context.Context, store *models.Store, secret auth.Secret, secretErr error,
	path string, logger *slog.Logger) (*auth.Authority, error) {
	if secretErr != nil {
		used, err := store.HasUsers(ctx)
		if err != nil {
			return nil, err
		}
		if used {
			return nil, fmt.Errorf("%w, but there are accounts: put it back", secretErr)
		}
		if secret, err = auth.CreateSecret(path); err != nil {
			return nil, err
		}
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	ring, err := auth.LoadKeyRing(ctx, store, secret)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return auth.NewAuthority(ctx, store, ring, auth.Options{TokenTTL: c.TokenTTL,
		MinSecret: c.MinSecret, Logger: logger, Params: auth.Params{
			MemoryKiB: c.Argon2Memory, Time: c.Argon2Time, Threads: c.Argon2Threads}})
}

// serveCmd is latchkey serve.
type serveCmd struct {
	Addr         string         `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen."`
	Registration string         `default:"open" enum:"open,closed" help:"May anyone register: open, closed."`
	HideAccounts bool           `help:"Answer unknown accounts like wrong secrets."`
	TrustedProxy []netip.Prefix `placeholder:"CIDR" help:"Proxies to believe X-Forwarded-* from."`
	LogFormat    string         `default:"text" enum:"text,json" help:"Format of the log: text, json."`
	LogLevel     slog.Level     `default:"info" help:"Least level logged: debug, info, warn, error."`
}

// Run serves until a signal comes.
func (s *serveCmd) Run(ctx context.Context, c *cli, io console) (err error) {
	logger := s.logger(io.err)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // closed already after serving
	d, err := c.open(ctx, true, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := welcome(ctx, c, d, "http://"+listener.Addr().String(), io.err); err != nil {
		return err
	}
	server := handlers.New(handlers.Config{Store: d.store, Authority: d.authority, Logger: logger,
		RegistrationOpen: s.Registration == "open", HideAccounts: s.HideAccounts,
		MinSecret: c.MinSecret, TrustedProxies: s.TrustedProxy})
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	wait.Go(func() { d.authority.Follow(following) })
	err = server.Serve(ctx, listener)
	stop()
	wait.Wait()
	return err
}

func (s *serveCmd) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.LogLevel}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// welcome says where the server is and, while there is no administrator, how to make one.
func welcome(ctx context.Context, c *cli, d data, url string, w io.Writer) error {
	fmt.Fprintf(w, "Latchkey %s\n  address         %s\n  data directory  %s\n", version, url, c.Data)
	has, err := d.store.HasAdministrator(ctx)
	if err != nil || has {
		return err
	}
	token, err := d.authority.SetupToken()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "  administrator   none yet: open this link within 15 minutes (it works once)\n"+
		"                  %s/setup?token=%s\n"+
		"                  or run: latchkey user add ACCOUNT --nickname NAME --admin\n", url, token)
	return nil
}

// userCmd is latchkey user.
type userCmd struct {
	Add     userAddCmd    `cmd:"" help:"Make an account."`
	List    userListCmd   `cmd:"" help:"List the accounts."`
	Passwd  userPasswdCmd `cmd:"" help:"Replace an account's secret; its tokens end."`
	Role    userRoleCmd   `cmd:"" help:"Make an account an administrator or a user; its tokens end."`
	Disable userStateCmd  `cmd:"" help:"Disable an account; its tokens end."`
	Enable  userStateCmd  `cmd:"" help:"Enable a disabled account."`
	Delete  userDeleteCmd `cmd:"" help:"Delete an account; its tokens end."`
}

type userAddCmd struct {
	Account     string `arg:"" help:"E-mail address or mobile number."`
	Nickname    string `required:"" help:"Name that is shown, 2 to 22 characters."`
	Type        uint16 `help:"Client type: 100 e-mail, 101 mobile number (default: by its form)."`
	Admin       bool   `help:"Make it an administrator."`
	SecretStdin bool   `help:"Read the secret from one line of standard input."`
}

// Run makes the account.
func (u *userAddCmd) Run(ctx context.Context, c *cli, io console) error {
	secret, err := readSecret(io, u.SecretStdin)
	if err != nil {
		return err
	}
	d, err := c.open(ctx, true, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	role, kind := models.RoleUser, models.ClientType(u.Type)
	if u.Admin {
		role = models.RoleAdministrator
	}
	if kind == 0 {
		kind = models.TypeOf(u.Account)
	}
	user, err := d.authority.Register(ctx, auth.Registration{Account: u.Account, Secret: secret,
		Nickname: u.Nickname, ClientType: kind}, role)
	if err == nil {
		fmt.Fprintf(io.out, "%s %s has id %d\n", user.Role, user.Account, user.ID)
	}
	return err
}

// readSecret reads one line of standard input, or asks twice on the terminal.
func readSecret(io console, stdin bool) (string, error) {
	if stdin {
		line, err := bufio.NewReader(io.in).ReadString('\n')
		if err != nil && line == "" {
			return "", fmt.Errorf("no secret on standard input: %w", err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
	}
	terminal, ok := io.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", errors.New("no terminal to ask for the secret: use --secret-stdin")
	}
	var answers [2]string
	for i, prompt := range []string{"Secret: ", "Again: "} {
		fmt.Fprint(io.err, prompt)
		typed, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(io.err)
		if err != nil {
			return "", err
		}
		answers[i] = string(typed)
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two secrets differ")
	}
	return answers[0], nil
}

type userListCmd struct {
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the accounts.
func (u *userListCmd) Run(ctx context.Context, c *cli, io console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	table := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	if !u.JSON {
		fmt.Fprintln(table, "ID\tACCOUNT\tNICKNAME\tROLE\tSTATE\tCREATED")
	}
	var after uint32
	for {
		users, err := d.store.Users(ctx, models.UserFilter{After: after})
		if err != nil || len(users) == 0 {
			return errors.Join(err, table.Flush())
		}
		for _, one := range users {
			if err := printUser(table, io.out, one, u.JSON); err != nil {
				return err
			}
			after = one.ID
		}
	}
}

func printUser(table, out io.Writer, u models.User, asJSON bool) error {
	created := time.Unix(u.CreatedAt, 0).UTC().Format(time.RFC3339)
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"id": u.ID, "account": u.Account,
			"type": u.ClientType, "nickname": u.Nickname, "role": u.Role.String(),
			"state": u.State.String(), "created_at": u.CreatedAt})
	}
	_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n",
		u.ID, u.Account, u.Nickname, u.Role, u.State, created)
	return err
}

// change opens the data directory and does something to one account.
func (c *cli) change(ctx context.Context, account string, io console, done string,
	do func(*auth.Authority, uint32) error) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	user, err := d.store.UserByAccount(ctx, account)
	if err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	if err := do(d.authority, user.ID); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s: %s\n", user.Account, done)
	return nil
}

type userPasswdCmd struct {
	Account     string `arg:""`
	SecretStdin bool   `help:"Read the secret from one line of standard input."`
}

// Run replaces the secret.
func (u *userPasswdCmd) Run(ctx context.Context, c *cli, io console) error {
	secret, err := readSecret(io, u.SecretStdin)
	if err != nil {
		return err
	}
	return c.change(ctx, u.Account, io, "secret replaced, tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetSecret(ctx, uid, secret) })
}

type userRoleCmd struct {
	Account string `arg:""`
	Role    string `arg:"" enum:"user,admin" help:"user or admin."`
}

// Run changes the role.
func (u *userRoleCmd) Run(ctx context.Context, c *cli, io console) error {
	role := models.RoleUser
	if u.Role == "admin" {
		role = models.RoleAdministrator
	}
	return c.change(ctx, u.Account, io, "now "+role.String()+", tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetRole(ctx, uid, role) })
}

type userStateCmd struct {
	Account string `arg:""`
}

// Run disables or enables, by the command's name.
func (u *userStateCmd) Run(ctx context.Context, c *cli, io console, parsed *kong.Context) error {
	state := models.Active
	if strings.HasPrefix(parsed.Command(), "user disable") {
		state = models.Disabled
	}
	return c.change(ctx, u.Account, io, "now "+state.String()+", tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetState(ctx, uid, state) })
}

type userDeleteCmd struct {
	Account string `arg:""`
}

// Run deletes the account.
func (u *userDeleteCmd) Run(ctx context.Context, c *cli, io console) error {
	return c.change(ctx, u.Account, io, "deleted, tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.Delete(ctx, uid) })
}

// tokenCmd is latchkey token.
type tokenCmd struct {
	Issue   tokenIssueCmd   `cmd:"" help:"Issue a token to an account and print it."`
	Inspect tokenInspectCmd `cmd:"" help:"Explain any token in one sentence."`
}

type tokenIssueCmd struct {
	Account string        `arg:""`
	TTL     time.Duration `name:"ttl" help:"Lifetime, such as 90s (default: --token-ttl)."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Run prints the token alone.
func (t *tokenIssueCmd) Run(ctx context.Context, c *cli, io console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	issued, err := d.authority.IssueFor(ctx, t.Account, t.TTL, auth.Client{Address: "command line"})
	if errors.Is(err, models.ErrChanged) {
		err = errors.New("the account is disabled")
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", t.Account, err)
	}
	if t.JSON {
		i := issued.Identity
		return json.NewEncoder(io.out).Encode(map[string]any{"token": issued.Token, "uid": i.UID,
			"id": i.TokenID.String(), "scope": i.Scope.String(), "expires_at": i.ExpiresAt})
	}
	_, err = fmt.Fprintln(io.out, issued.Token)
	return err
}

type tokenInspectCmd struct {
	Token string `arg:"" help:"The token."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run explains the token; the exit code is 1 when it is refused.
func (t *tokenInspectCmd) Run(ctx context.Context, c *cli, io console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	in, err := d.authority.Inspect(ctx, t.Token)
	if err != nil {
		return err
	}
	if t.JSON {
		return json.NewEncoder(io.out).Encode(in)
	}
	_, err = fmt.Fprintln(io.out, in)
	return err
}

type versionCmd struct{}

// Run prints the versions.
func (versionCmd) Run(io console) error {
	revision := commit
	if build, ok := debug.ReadBuildInfo(); ok && revision == "unknown" {
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	_, err := fmt.Fprintf(io.out, "latchkey %s, commit %s, %s, SQLite %s\n",
		version, revision, runtime.Version(), models.SQLiteVersion())
	return err
}
