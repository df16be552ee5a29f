package commands

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"latchkey/auth"
	"latchkey/models"
)

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
func (u *userAddCmd) Run(ctx context.Context, c *cli, std Console) error {
	secret, err := readNewPassword(ctx, std, u.SecretStdin)
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
	user, err := d.authority.Register(ctx, auth.Registration{Account: u.Account, Password: secret,
		Nickname: u.Nickname, ClientType: kind}, role)
	if err == nil {
		fmt.Fprintf(std.Out, "%s %s has id %d\n", user.Role, user.Account, user.ID)
	}
	return err
}

// readNewPassword is readPassword that asks twice.
func readNewPassword(ctx context.Context, std Console, stdin bool) (string, error) {
	return readPassword(ctx, std, stdin, "Secret: ", "Again: ")
}

// readPassword reads one line of standard input, or asks on the terminal, once for each prompt; the
// answers must be the same.
func readPassword(
	ctx context.Context, std Console, stdin bool, prompts ...string,
) (secret string, err error) {
	if stdin {
		line, err := bufio.NewReader(std.In).ReadString('\n')
		if err != nil && line == "" {
			return "", fmt.Errorf("no secret on standard input: %w", err)
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
	}
	terminal, ok := std.In.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", errors.New("no terminal to ask for the secret: use --secret-stdin")
	}
	for i, prompt := range prompts {
		fmt.Fprint(std.Err, prompt)
		typed, err := interruptible(ctx, terminal, func() (string, error) {
			text, err := term.ReadPassword(int(terminal.Fd()))
			return string(text), err
		})
		fmt.Fprintln(std.Err)
		if err != nil {
			return "", err
		}
		if i > 0 && typed != secret {
			return "", errors.New("the two secrets differ")
		}
		secret = typed
	}
	return secret, nil
}

// interruptible waits for an answer at the terminal, or for an interrupt, after which the terminal is
// as it was. The question is then left behind: nothing ends a read but the end of the process.
func interruptible(
	ctx context.Context, in io.Reader, question func() (string, error),
) (string, error) {
	type answer struct {
		text string
		err  error
	}
	restore := func() error { return nil }
	if terminal, ok := in.(*os.File); ok {
		if state, err := term.GetState(int(terminal.Fd())); err == nil {
			restore = func() error { return term.Restore(int(terminal.Fd()), state) }
		}
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := question()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), restore())
	}
}

type userListCmd struct {
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the accounts.
func (u *userListCmd) Run(ctx context.Context, c *cli, std Console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
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
			if err := printUser(table, std.Out, one, u.JSON); err != nil {
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
func (c *cli) change(ctx context.Context, account string, std Console, done string,
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
	fmt.Fprintf(std.Out, "%s: %s\n", user.Account, done)
	return nil
}

type userPasswdCmd struct {
	Account     string `arg:""`
	SecretStdin bool   `help:"Read the secret from one line of standard input."`
}

// Run replaces the secret.
func (u *userPasswdCmd) Run(ctx context.Context, c *cli, std Console) error {
	secret, err := readNewPassword(ctx, std, u.SecretStdin)
	if err != nil {
		return err
	}
	return c.change(ctx, u.Account, std, "secret replaced, tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetPassword(ctx, uid, secret) })
}

type userRoleCmd struct {
	Account string `arg:""`
	Role    string `arg:"" enum:"user,admin" help:"user or admin."`
}

// Run changes the role.
func (u *userRoleCmd) Run(ctx context.Context, c *cli, std Console) error {
	role := models.RoleUser
	if u.Role == "admin" {
		role = models.RoleAdministrator
	}
	return c.change(ctx, u.Account, std, "now "+role.String()+", tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetRole(ctx, uid, role) })
}

type userStateCmd struct {
	Account string `arg:""`
}

// Run disables or enables, by the command's name.
func (u *userStateCmd) Run(ctx context.Context, c *cli, std Console, parsed *kong.Context) error {
	state := models.Active
	if strings.HasPrefix(parsed.Command(), "user disable") {
		state = models.Disabled
	}
	return c.change(ctx, u.Account, std, "now "+state.String()+", tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.SetState(ctx, uid, state) })
}

type userDeleteCmd struct {
	Account string `arg:""`
}

// Run deletes the account.
func (u *userDeleteCmd) Run(ctx context.Context, c *cli, std Console) error {
	return c.change(ctx, u.Account, std, "deleted, tokens ended",
		func(a *auth.Authority, uid uint32) error { return a.Delete(ctx, uid, false) })
}
