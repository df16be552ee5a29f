package commands

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"latchkey/client/credstore"
)

// The commands here run on a user's own machine, on a file of logins and without a data directory.

// credstoreFlags name the file of logins.
type credstoreFlags struct {
	Tokens string `env:"LATCHKEY_TOKENS" placeholder:"FILE" help:"File of logins (default on Linux: ~/.config/latchkey/tokens.json)."`
}

func (f credstoreFlags) store() (*credstore.Store, error) {
	if f.Tokens != "" {
		return credstore.New(f.Tokens), nil
	}
	path, err := credstore.DefaultPath()
	if err != nil {
		return nil, fmt.Errorf("%w: name a file for the logins with --tokens", err)
	}
	return credstore.New(path), nil
}

// loginFor returns the login for a host, or the newest one if host is "", with a renewed token.
func (f credstoreFlags) loginFor(ctx context.Context, host string) (credstore.Login, error) {
	target := credstore.AnyTarget()
	if host != "" {
		var err error
		if target, err = credstore.ParseTarget(host); err != nil {
			return credstore.Login{}, err
		}
	}
	store, err := f.store()
	if err != nil {
		return credstore.Login{}, err
	}
	return store.LoginFor(ctx, target)
}

// loginCmd is latchkey login.
type loginCmd struct {
	credstoreFlags
	URL         string   `arg:"" help:"URL of the Latchkey server."`
	Account     string   `help:"E-mail address or mobile number (default: asked for)."`
	For         []string `placeholder:"HOST" help:"Host that gets the token (repeatable; default: the server)."`
	SecretStdin bool     `help:"Read the password from one line of standard input."`
	Insecure    bool     `help:"Allow plain http to other machines."`
}

// login returns the login that the flags describe, without a token.
func (l *loginCmd) login() credstore.Login {
	return credstore.Login{URL: strings.TrimSuffix(l.URL, "/"), Account: l.Account, Hosts: l.For,
		Insecure: l.Insecure}
}

// Validate checks the command line before a password is asked for.
func (l *loginCmd) Validate() error {
	if l.Account == "" && l.SecretStdin {
		return errors.New("the account is missing: pass --account with --secret-stdin")
	}
	login := l.login()
	login.Hosts = slices.Clone(login.Hosts)
	return login.Normalize()
}

// Run logs in and stores the token.
func (l *loginCmd) Run(ctx context.Context, std Console) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	if l.Account == "" {
		if l.Account, err = ask(ctx, std, "Account: "); err != nil {
			return err
		}
		if l.Account == "" {
			return errors.New("no account was given: enter an e-mail address or a mobile number")
		}
	}
	password, err := readPassword(ctx, std, l.SecretStdin, "Password: ")
	if err != nil {
		return err
	}
	login, err := store.LogIn(ctx, l.login(), password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "Logged in: %s.\n"+
		"Clients on this machine get the token for %s. It is renewed as they use it.\n",
		login, strings.Join(login.Hosts, ", "))
	return err
}

// logoutCmd is latchkey logout.
type logoutCmd struct {
	credstoreFlags
	URL string `arg:"" optional:"" help:"URL of the Latchkey server (default: all servers)."`
}

// Run revokes the tokens and removes the logins.
func (l *logoutCmd) Run(ctx context.Context, std Console) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	removed, err := store.LogOut(ctx, strings.TrimSuffix(l.URL, "/"))
	for _, login := range removed {
		fmt.Fprintf(std.Out, "Logged out: %s.\n", login)
	}
	if err == nil && len(removed) == 0 {
		err = errors.New("there is no such login: run latchkey logins to list yours")
	}
	return err
}

// loginsCmd is latchkey logins.
type loginsCmd struct {
	credstoreFlags
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run lists the logins without their tokens.
func (l *loginsCmd) Run(std Console) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	logins, err := store.Logins()
	if err != nil {
		return err
	}
	if l.JSON {
		for _, login := range logins {
			err = errors.Join(err, printJSON(std.Out, map[string]any{"url": login.URL,
				"account": login.Account, "expires_at": login.ExpiresAt, "hosts": login.Hosts}))
		}
		return err
	}
	var t table
	t.add("SERVER", "ACCOUNT", "EXPIRES", "HOSTS")
	for _, login := range logins {
		t.add(login.URL, login.Account, stamp(login.ExpiresAt), strings.Join(login.Hosts, " "))
	}
	return t.print(std.Out)
}

// tokenGetCmd is latchkey token.
type tokenGetCmd struct {
	credstoreFlags
	Host   string `arg:"" optional:"" help:"Host that gets the token (default: the newest login's)."`
	Header bool   `help:"Print a whole Authorization header, with the token as the password."`
	JSON   bool   `name:"json" help:"Print JSON, with the time of expiry."`
}

// Run prints the token of a login, or the header that carries it.
func (t *tokenGetCmd) Run(ctx context.Context, std Console) error {
	login, err := t.loginFor(ctx, t.Host)
	if err != nil {
		return err
	}
	if t.JSON {
		return printJSON(std.Out, map[string]any{"token": login.Token, "url": login.URL,
			"account": login.Account, "expires_at": login.ExpiresAt})
	}
	text := login.Token
	if t.Header {
		text = "Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(helperUser+":"+login.Token))
	}
	_, err = fmt.Fprintln(std.Out, text)
	return err
}

// helperUser is the user name beside a token in the password slot. Proxies may log it.
const helperUser = "latchkey"

// netrcCmd is latchkey netrc.
type netrcCmd struct {
	credstoreFlags
	File string   `placeholder:"FILE" help:"Replace the entries in this file, such as ~/.netrc."`
	Host []string `arg:"" optional:"" help:"Hosts (default: those of your logins, without *.domain)."`
}

// Run prints entries for .netrc or puts them into a file.
func (n *netrcCmd) Run(ctx context.Context, std Console) error {
	store, err := n.store()
	if err != nil {
		return err
	}
	hosts := n.Host
	if len(hosts) == 0 {
		if hosts, err = storedHosts(store); err != nil {
			return err
		}
	}
	machines, failed := netrcMachines(ctx, store, hosts)
	if n.File == "" {
		_, err := io.WriteString(std.Out, credstore.Netrc("", machines))
		return errors.Join(failed, err)
	}
	text, err := os.ReadFile(n.File)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(failed, err)
	}
	return errors.Join(failed,
		credstore.WriteFile(n.File, []byte(credstore.Netrc(string(text), machines))))
}

// netrcMachines returns the entries for hosts. A host that fails does not keep the others from
// getting a token. An entry has no port, so that a name can have only one login.
func netrcMachines(
	ctx context.Context, store *credstore.Store, hosts []string,
) (machines []credstore.Machine, failed error) {
	tokens := map[string]string{}
	for _, host := range hosts {
		target, err := credstore.ParseTarget(host)
		var login credstore.Login
		if err == nil {
			login, err = store.LoginFor(ctx, target)
		}
		name := target.Hostname()
		if known, ok := tokens[name]; ok && err == nil {
			if known == login.Token {
				continue
			}
			err = errors.New("another login covers this name too, and .netrc cannot tell ports apart: " +
				"name the host that you mean")
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", host, err))
			continue
		}
		tokens[name] = login.Token
		machines = append(machines,
			credstore.Machine{Name: name, Login: helperUser, Password: login.Token})
	}
	return machines, failed
}

// storedHosts returns every host of the logins except *.domain. The error may say that none is
// left.
func storedHosts(store *credstore.Store) (hosts []string, err error) {
	logins, err := store.Logins()
	if err != nil {
		return nil, err
	}
	for _, login := range logins {
		for _, host := range login.Hosts {
			if !strings.HasPrefix(host, "*") {
				hosts = append(hosts, host)
			}
		}
	}
	if len(hosts) == 0 {
		return nil, errNoHosts
	}
	return hosts, nil
}

var errNoHosts = errors.New("no login is for a host: run latchkey login URL --for HOST")
