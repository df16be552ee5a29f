package commands

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"latchkey/client/credstore"
)

// The commands here run where a person works, with a file of logins and no data directory.

// credstoreFlags say where the logins are.
type credstoreFlags struct {
	Tokens string `env:"LATCHKEY_TOKENS" placeholder:"FILE" help:"File of logins (default: ~/.config/latchkey/tokens.json)."`
}

func (f credstoreFlags) store() (*credstore.Store, error) {
	if f.Tokens != "" {
		return credstore.New(f.Tokens), nil
	}
	path, err := credstore.DefaultPath()
	return credstore.New(path), err
}

// fresh is the login for a place, with a fresh token.
func (f credstoreFlags) fresh(ctx context.Context, p credstore.Target) (credstore.Login, error) {
	w, err := f.store()
	if err != nil {
		return credstore.Login{}, err
	}
	return w.LoginFor(ctx, p)
}

// loginCmd is latchkey login.
type loginCmd struct {
	credstoreFlags
	URL         string   `arg:"" help:"Address of the Latchkey server."`
	Account     string   `help:"E-mail address or mobile number (default: asked for)."`
	For         []string `placeholder:"HOST" help:"Host to present the token to (repeatable)."`
	SecretStdin bool     `help:"Read the secret from one line of standard input."`
	Insecure    bool     `help:"Allow plain http to other machines."`
}

// Run logs in and keeps the token.
func (l *loginCmd) Run(ctx context.Context, std Console) error {
	w, err := l.store()
	if err != nil {
		return err
	}
	if l.Account == "" {
		if l.SecretStdin {
			return errors.New("--secret-stdin needs --account")
		}
		fmt.Fprint(std.Err, "Account: ")
		line, err := interruptible(ctx, std.In, func() (string, error) {
			return bufio.NewReader(std.In).ReadString('\n')
		})
		if l.Account = strings.TrimSpace(line); err != nil || l.Account == "" {
			return errors.New("no account was given")
		}
	}
	secret, err := readPassword(ctx, std, l.SecretStdin, "Secret: ")
	if err != nil {
		return err
	}
	login, err := w.LogIn(ctx, credstore.Login{URL: strings.TrimSuffix(l.URL, "/"), Account: l.Account,
		Hosts: l.For, Insecure: l.Insecure}, secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out,
		"Logged in: %s.\nThe token is presented to %s, and renewed as it is used.\n",
		login, strings.Join(login.Hosts, ", "))
	return err
}

// logoutCmd is latchkey logout.
type logoutCmd struct {
	credstoreFlags
	URL string `arg:"" optional:"" help:"Address of the Latchkey server (default: all of them)."`
}

// Run ends the tokens and forgets them.
func (l *logoutCmd) Run(ctx context.Context, std Console) error {
	w, err := l.store()
	if err != nil {
		return err
	}
	ended, err := w.LogOut(ctx, strings.TrimSuffix(l.URL, "/"))
	for _, login := range ended {
		fmt.Fprintf(std.Out, "%s is logged out\n", login)
	}
	if err == nil && len(ended) == 0 {
		err = errors.New("there is no such login")
	}
	return err
}

// loginsCmd is latchkey logins.
type loginsCmd struct {
	credstoreFlags
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run lists the logins, never their tokens.
func (l *loginsCmd) Run(std Console) error {
	w, err := l.store()
	if err != nil {
		return err
	}
	logins, err := w.Logins()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	if !l.JSON {
		fmt.Fprintln(table, "SERVER\tACCOUNT\tEXPIRES\tHOSTS")
	}
	for _, login := range logins {
		if l.JSON {
			if err := json.NewEncoder(std.Out).Encode(map[string]any{"url": login.URL,
				"account": login.Account, "expires_at": login.ExpiresAt, "hosts": login.Hosts,
			}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", login.URL, login.Account,
			time.Unix(login.ExpiresAt, 0).UTC().Format(time.RFC3339), strings.Join(login.Hosts, " "))
	}
	return table.Flush()
}

// tokenGetCmd is latchkey token.
type tokenGetCmd struct {
	credstoreFlags
	Host   string `arg:"" optional:"" help:"Host to present it to (default: the newest login)."`
	Header bool   `help:"Print a whole Authorization header."`
}

// Run prints a fresh token of a login, or the header that carries it as the Basic user name.
func (t *tokenGetCmd) Run(ctx context.Context, std Console) error {
	place := credstore.AnyTarget()
	if t.Host != "" {
		var err error
		if place, err = credstore.ParseTarget(t.Host); err != nil {
			return err
		}
	}
	login, err := t.fresh(ctx, place)
	if err != nil {
		return err
	}
	text := login.Token
	if t.Header {
		text = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login.Token+":"))
	}
	_, err = fmt.Fprintln(std.Out, text)
	return err
}

// helperUser is the user name beside a token in the password slot, which proxies may log.
const helperUser = "latchkey"

// netrcCmd is latchkey netrc.
type netrcCmd struct {
	credstoreFlags
	File string   `placeholder:"FILE" help:"Replace entries in this file, such as ~/.netrc."`
	Host []string `arg:"" optional:"" help:"Hosts (default: all of the logins without *)."`
}

// Run prints lines for .netrc, or puts them there.
func (n *netrcCmd) Run(ctx context.Context, std Console) error {
	w, err := n.store()
	if err != nil {
		return err
	}
	hosts := n.Host
	if len(hosts) == 0 {
		if hosts, err = plainHosts(w); err != nil {
			return err
		}
	}
	machines, failed := n.machines(ctx, w, hosts)
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

// machines are the entries for hosts. One that fails does not keep the others from being fresh.
// .netrc knows no ports: two logins for one name cannot both stand there.
func (n *netrcCmd) machines(
	ctx context.Context, w *credstore.Store, hosts []string,
) (machines []credstore.Machine, failed error) {
	tokens := map[string]string{}
	for _, host := range hosts {
		place, err := credstore.ParseTarget(host)
		var login credstore.Login
		if err == nil {
			login, err = w.LoginFor(ctx, place)
		}
		if known, ok := tokens[place.Hostname()]; ok && err == nil {
			if known == login.Token {
				continue
			}
			err = errors.New("there is another login for this name, and .netrc knows no ports: " +
				"name the one you mean")
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", host, err))
			continue
		}
		tokens[place.Hostname()] = login.Token
		machines = append(machines, credstore.Machine{
			Name: place.Hostname(), Login: helperUser, Password: login.Token})
	}
	return machines, failed
}

// plainHosts is every host of the logins that stands for itself.
func plainHosts(w *credstore.Store) (hosts []string, err error) {
	logins, err := w.Logins()
	for _, login := range logins {
		for _, host := range login.Hosts {
			if !strings.HasPrefix(host, "*") {
				hosts = append(hosts, host)
			}
		}
	}
	if err == nil && len(hosts) == 0 {
		err = errors.New("there is no login for a host: run latchkey login URL")
	}
	return hosts, err
}
