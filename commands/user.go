//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"

	"latchkey/auth"
	"latchkey/models"
)

// userCmd is latchkey user.
type userCmd struct {
	Add     userAddCmd     `cmd:"" help:"Create an account."`
	List    userListCmd    `cmd:"" help:"List the accounts."`
	Passwd  userPasswdCmd  `cmd:"" help:"Set an account's password and revoke its tokens."`
	Role    userRoleCmd    `cmd:"" help:"Make an account an administrator or a user; revokes its tokens."`
	Disable userDisableCmd `cmd:"" help:"Disable an account and revoke its tokens."`
	Enable  userEnableCmd  `cmd:"" help:"Enable a disabled account."`
	Delete  userDeleteCmd  `cmd:"" help:"Delete an account and revoke its tokens."`
}

type userAddCmd struct {
	configFlags `group:"config"`

	Account     string `arg:"" help:"E-mail address or mobile number."`
	Nickname    string `required:"" placeholder:"NAME" help:"Display name, 2 to 22 characters."`
	Type        uint16 `placeholder:"TYPE" help:"Client type: 100 e-mail, 101 mobile number (default: by the account's form)."`
	Admin       bool   `help:"Make it an administrator."`
	SecretStdin bool   `help:"Read the password from one line of standard input."`
	Init        bool   `help:"Create the data directory if it does not exist."`
	JSON        bool   `name:"json" help:"Print JSON."`
}

// Run creates the account.
func (u *userAddCmd) Run(ctx context.Context, std Console) error {
	password, err := readNewPassword(ctx, std, u.SecretStdin)
	if err != nil {
		return err
	}
	d, err := u.openWith(ctx, opening{create: u.Init, options: u.options(auth.Options{}, nil)})
	if errors.Is(err, models.ErrNoDatabase) {
		err = fmt.Errorf("%w, or with --init", err)
	}
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
	user, err := d.authority.Register(ctx, auth.Registration{Account: u.Account, Password: password,
		Nickname: u.Nickname, ClientType: kind}, role)
	if err != nil {
		return err
	}
	if u.JSON {
		return printJSON(std.Out, userJSON(user))
	}
	_, err = fmt.Fprintf(std.Out, "%s %s created with id %d in %s\n", user.Role, user.Account, user.ID,
		d.name)
	return err
}

type userListCmd struct {
	configFlags `group:"config"`

	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the accounts in the order of their ids.
func (u *userListCmd) Run(ctx context.Context, std Console) error {
	d, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	var t table
	t.add("ID", "ACCOUNT", "NICKNAME", "ROLE", "STATE", "CREATED")
	var after uint32
	for {
		users, err := d.store.Users(ctx, models.UserFilter{After: after})
		if err != nil {
			return err
		}
		if len(users) == 0 {
			break
		}
		for _, user := range users {
			after = user.ID
			if !u.JSON {
				t.add(user.ID, user.Account, user.Nickname, user.Role, user.State, stamp(user.CreatedAt))
			} else if err := printJSON(std.Out, userJSON(user)); err != nil {
				return err
			}
		}
	}
	if u.JSON {
		return nil
	}
	return t.print(std.Out)
}

func userJSON(u models.User) map[string]any {
	return map[string]any{"id": u.ID, "account": u.Account, "type": u.ClientType,
		"nickname": u.Nickname, "role": u.Role.String(), "state": u.State.String(),
		"created_at": u.CreatedAt}
}

// change opens the data directory, changes one account and says what was done where.
func (f *configFlags) change(ctx context.Context, std Console, account, done string,
	do func(*auth.Authority, models.User) error) error {
	d, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	user, err := d.store.UserByAccount(ctx, account)
	if err == nil {
		err = do(d.authority, user)
	}
	if err != nil {
		return accountError(account, err)
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s (in %s)\n", user.Account, done, d.name)
	return err
}

// accountError says which account an error is about, and what to do next.
func accountError(account string, err error) error {
	switch {
	case errors.Is(err, models.ErrNotFound):
		return fmt.Errorf("account %s: not found; latchkey user list shows all", account)
	case errors.Is(err, models.ErrLastAdministrator):
		return fmt.Errorf("account %s: %w; make another one first: latchkey user role ACCOUNT admin",
			account, err)
	}
	return fmt.Errorf("account %s: %w", account, err)
}

type userPasswdCmd struct {
	configFlags `group:"config"`

	Account     string `arg:"" help:"E-mail address or mobile number."`
	SecretStdin bool   `help:"Read the password from one line of standard input."`
}

// Run sets the password.
func (u *userPasswdCmd) Run(ctx context.Context, std Console) error {
	password, err := readNewPassword(ctx, std, u.SecretStdin)
	if err != nil {
		return err
	}
	return u.change(ctx, std, u.Account, "password set, tokens revoked",
		func(a *auth.Authority, user models.User) error {
			return a.SetPassword(ctx, user.ID, password)
		})
}

type userRoleCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number."`
	Role    string `arg:"" enum:"user,admin" help:"user or admin."`
}

// Run changes the role.
func (u *userRoleCmd) Run(ctx context.Context, std Console) error {
	role := models.RoleUser
	if u.Role == "admin" {
		role = models.RoleAdministrator
	}
	return u.change(ctx, std, u.Account, "now "+role.String()+", tokens revoked",
		func(a *auth.Authority, user models.User) error {
			return a.Change(ctx, user.ID, auth.Change{Role: &role})
		})
}

type userDisableCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number."`
}

// Run disables the account.
func (u *userDisableCmd) Run(ctx context.Context, std Console) error {
	return u.setState(ctx, std, u.Account, models.Disabled)
}

type userEnableCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number."`
}

// Run enables the account.
func (u *userEnableCmd) Run(ctx context.Context, std Console) error {
	return u.setState(ctx, std, u.Account, models.Active)
}

func (f *configFlags) setState(
	ctx context.Context, std Console, account string, state models.State,
) error {
	return f.change(ctx, std, account, "now "+state.String()+", tokens revoked",
		func(a *auth.Authority, user models.User) error {
			return a.Change(ctx, user.ID, auth.Change{State: &state})
		})
}

type userDeleteCmd struct {
	configFlags `group:"config"`
	yesFlag

	Account string `arg:"" help:"E-mail address or mobile number."`
}

// Run deletes the account.
func (u *userDeleteCmd) Run(ctx context.Context, std Console) error {
	err := u.confirm(ctx, std, "Delete "+u.Account+" and revoke its tokens?")
	if err != nil {
		return err
	}
	return u.change(ctx, std, u.Account, "deleted, tokens revoked",
		func(a *auth.Authority, user models.User) error { return a.Delete(ctx, user.ID) })
}
