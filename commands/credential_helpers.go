package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"

	"latchkey/client/credstore"
)

// maxHelperInput bounds what git or Docker may send, in bytes.
const maxHelperInput = 64 << 10

// gitCmd is latchkey git-credential, a helper as git-credential(1) and gitcredentials(7) define it.
type gitCmd struct {
	credstoreFlags
	Operation string `arg:"" help:"get, store or erase; git calls it."`
}

// Run responds to git. It ignores operations that it does not know, as git demands. It also ignores
// store, because only latchkey login stores tokens.
func (g *gitCmd) Run(ctx context.Context, std Console) error {
	if g.Operation != "get" && g.Operation != "erase" {
		return nil
	}
	attributes, err := gitAttributes(std.In)
	if err != nil {
		return err
	}
	if g.Operation == "get" {
		return g.get(ctx, std, attributes)
	}
	store, err := g.store()
	if err != nil || attributes["password"] == "" {
		return err
	}
	return store.ForgetRejected(ctx, attributes["password"])
}

// get prints a credential. It prints nothing if there is none, so that git asks its next helper.
func (g *gitCmd) get(ctx context.Context, std Console, attributes map[string]string) error {
	url := attributes["protocol"] + "://" + attributes["host"]
	_, err := credstore.ParseTarget(url)
	if err != nil || strings.ContainsAny(attributes["host"], "/?#") {
		return nil //nolint:nilerr // not for a web server: git also asks for certificates and mail
	}
	login, err := g.loginFor(ctx, url)
	if errors.Is(err, credstore.ErrNoLogin) {
		return nil
	}
	if err != nil {
		return err
	}
	user := attributes["username"]
	if user == "" {
		user = helperUser
	}
	_, err = fmt.Fprintf(std.Out, "username=%s\npassword=%s\npassword_expiry_utc=%d\n",
		user, login.Token, login.ExpiresAt)
	return err
}

// gitAttributes reads lines of key=value up to an empty line or the end. If a key occurs twice, the
// last one counts.
func gitAttributes(in io.Reader) (map[string]string, error) {
	attributes := map[string]string{}
	text, err := io.ReadAll(io.LimitReader(in, maxHelperInput))
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" {
			break
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(value, "\x00\r") {
			return nil, errors.New("the input is not in the form key=value: let git call this command")
		}
		attributes[key] = value
	}
	return attributes, err
}

// dockerCmd is latchkey docker-credential. Docker runs it by the name docker-credential-latchkey,
// which is a symbolic link to this program.
type dockerCmd struct {
	credstoreFlags
	Operation string `arg:"" help:"get, store, erase, list or version; Docker calls it."`
}

// Run responds to Docker, which reads errors from standard output too.
func (d *dockerCmd) Run(ctx context.Context, std Console) error {
	store, err := d.store()
	if err == nil {
		credentials.Name, credentials.Package, credentials.Version =
			"docker-credential-latchkey", "latchkey", version
		err = credentials.HandleCommand(dockerHelper{ctx, store}, d.Operation,
			io.LimitReader(std.In, maxHelperInput), std.Out)
	}
	if err != nil {
		fmt.Fprintln(std.Out, printable(err)) // Docker shows it, so it must not be on standard error too
		return errReported
	}
	return nil
}

// dockerHelper is a credentials.Helper, whose methods have no context, on the stored logins.
type dockerHelper struct {
	ctx   context.Context
	store *credstore.Store
}

// Add rejects credentials: docker login would store a password.
func (dockerHelper) Add(*credentials.Credentials) error {
	return errors.New("only latchkey login stores tokens: run latchkey login URL --for HOST")
}

// Delete refuses to remove a login, which other clients use as well.
func (dockerHelper) Delete(string) error {
	return errors.New("docker logout does not revoke the token: run latchkey logout")
}

// Get returns the user name and the token for a registry. Docker names a registry without a scheme
// whether it speaks https or http; a token goes over http only to this machine.
func (h dockerHelper) Get(registry string) (user, token string, err error) {
	urls := []string{registry}
	if !strings.Contains(registry, "://") {
		urls = []string{"https://" + registry, "http://" + registry}
	}
	for _, url := range urls {
		target, err := credstore.ParseTarget(url)
		if err != nil {
			break
		}
		login, err := h.store.LoginFor(h.ctx, target)
		if !errors.Is(err, credstore.ErrNoLogin) {
			return helperUser, login.Token, err
		}
	}
	return "", "", credentials.NewErrCredentialsNotFound()
}

// List returns the user name for each host of the logins.
func (h dockerHelper) List() (map[string]string, error) {
	users := map[string]string{}
	hosts, err := storedHosts(h.store)
	if errors.Is(err, errNoHosts) {
		return users, nil
	}
	for _, host := range hosts {
		users[host] = helperUser
	}
	return users, err
}
