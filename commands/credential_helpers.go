package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"latchkey/client/credstore"
)

// maxHelperInput bounds what git or Docker may say, in bytes.
const maxHelperInput = 64 << 10

// gitCmd is latchkey git-credential: git's protocol for credential helpers (git-credential(1)).
type gitCmd struct {
	credstoreFlags
	Operation string `arg:"" enum:"get,store,erase" help:"get, store or erase."`
}

// Run answers git. For a host of no login it prints nothing, so that git asks its next helper.
func (g *gitCmd) Run(ctx context.Context, std Console) error {
	asked, err := gitAttributes(std.In)
	if err != nil {
		return err
	}
	switch g.Operation {
	case "get":
		return g.get(ctx, std, asked)
	case "erase":
		if w, err := g.store(); err == nil && asked["password"] != "" {
			return w.ForgetRejected(ctx, asked["password"])
		}
	}
	return nil // store: a login is made by latchkey login alone
}

func (g *gitCmd) get(ctx context.Context, std Console, asked map[string]string) error {
	place, err := credstore.ParseTarget(asked["protocol"] + "://" + asked["host"])
	if err != nil || strings.ContainsAny(asked["host"], "/?#") {
		return nil //nolint:nilerr // git asks for something else, a certificate or a mail server
	}
	login, err := g.fresh(ctx, place)
	if errors.Is(err, credstore.ErrNoLogin) {
		return nil
	}
	if err != nil {
		return err
	}
	user := asked["username"]
	if user == "" {
		user = helperUser
	}
	_, err = fmt.Fprintf(std.Out, "username=%s\npassword=%s\npassword_expiry_utc=%d\n",
		user, login.Token, login.ExpiresAt)
	return err
}

// gitAttributes reads lines of key=value up to an empty line or the end. The last of a key counts.
func gitAttributes(in io.Reader) (map[string]string, error) {
	attributes := map[string]string{}
	text, err := io.ReadAll(io.LimitReader(in, maxHelperInput))
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" {
			break
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(value, "\x00\r") {
			return nil, errors.New("what git asks is no line of key=value")
		}
		attributes[key] = value
	}
	return attributes, err
}

// dockerCmd is latchkey docker-credential: the protocol of docker-credential-helpers. Docker finds
// it by a symbolic link named docker-credential-latchkey.
type dockerCmd struct {
	credstoreFlags
	Operation string `arg:"" enum:"get,store,erase,list" help:"get, store, erase or list."`
}

// dockerCredential is a credential as Docker writes it.
type dockerCredential struct{ ServerURL, Username, Secret string }

// dockerUnknown is how a helper says that it has nothing; Docker compares the words.
const dockerUnknown = "credentials not found in native keychain"

// Run answers Docker. It reads errors on standard output.
func (d *dockerCmd) Run(ctx context.Context, std Console) error {
	err := d.answer(ctx, std)
	if err != nil {
		fmt.Fprintln(std.Out, err)
	}
	return err
}

func (d *dockerCmd) answer(ctx context.Context, std Console) error {
	w, err := d.store()
	if err != nil {
		return err
	}
	if d.Operation == "list" {
		hosts, err := plainHosts(w)
		if err != nil {
			hosts = nil
		}
		known := map[string]string{}
		for _, host := range hosts {
			known[host] = helperUser
		}
		return json.NewEncoder(std.Out).Encode(known)
	}
	text, err := io.ReadAll(io.LimitReader(std.In, maxHelperInput))
	if err != nil {
		return err
	}
	switch d.Operation {
	case "store":
		return errors.New("only latchkey login keeps tokens: run latchkey login URL --for HOST")
	case "erase":
		return errors.New("run latchkey logout to end a login")
	}
	asked := strings.TrimSpace(string(text))
	address := asked
	if !strings.Contains(asked, "://") {
		address = "https://" + asked // what Docker means by a bare name
	}
	place, err := credstore.ParseTarget(address)
	if err != nil {
		return errors.New(dockerUnknown)
	}
	login, err := d.registry(ctx, w, place, asked)
	if errors.Is(err, credstore.ErrNoLogin) {
		return errors.New(dockerUnknown)
	}
	if err != nil {
		return err
	}
	credential := dockerCredential{asked, helperUser, login.Token}
	return json.NewEncoder(std.Out).Encode(credential) //nolint:gosec // Docker asks for it
}

// registry is the login for a registry. One on this machine may speak plain http, by which Docker
// does not name it.
func (d *dockerCmd) registry(
	ctx context.Context, w *credstore.Store, place credstore.Target, asked string,
) (credstore.Login, error) {
	login, err := w.LoginFor(ctx, place)
	if errors.Is(err, credstore.ErrNoLogin) && !strings.Contains(asked, "://") {
		if place, err := credstore.ParseTarget("http://" + asked); err == nil {
			return w.LoginFor(ctx, place)
		}
	}
	return login, err
}
