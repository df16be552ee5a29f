//go:build !client && !windows

package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

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
	Enable  userEnableCmd  `cmd:"" help:"Enable an account that is disabled, or that waits for approval."`
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

// Validate checks the command line before anything is opened.
func (u *userAddCmd) Validate() error {
	if u.Account == "" || u.Nickname == "" {
		return nil // the parser says what is missing
	}
	if u.Type == 0 {
		u.Type = uint16(models.TypeOf(u.Account))
	}
	kind := models.ClientType(u.Type)
	if kind != models.EMail && kind != models.Mobile {
		return errors.New("--type is 100 (e-mail) or 101 (mobile number)")
	}
	v := models.ValidationError{}
	models.CheckAccount(v, kind, u.Account)
	models.CheckNickname(v, u.Nickname)
	if err := v.Err(); err != nil {
		return plain(err)
	}
	return u.configFlags.Validate()
}

// Run creates the account.
func (u *userAddCmd) Run(ctx context.Context, std Console) error {
	if _, err := os.Stat(u.Data); errors.Is(err, os.ErrNotExist) && !u.Init {
		return fmt.Errorf("%w, or with --init", noDirectory(u.Data))
	}
	password, err := readNewPassword(ctx, std, u.SecretStdin)
	if err != nil {
		return err
	}
	registration := auth.Registration{Account: u.Account, Password: password, Nickname: u.Nickname,
		ClientType: models.ClientType(u.Type)}
	options := u.options(auth.Options{}, nil)
	if err := registration.CheckFields(options); err != nil {
		return plain(err)
	}
	d, err := u.openWith(ctx, opening{create: u.Init, options: options})
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	role := models.RoleUser
	if u.Admin {
		role = models.RoleAdministrator
	}
	user, err := d.authority.Register(ctx, registration, role)
	if err != nil {
		return plain(err)
	}
	if u.JSON {
		data := userJSON(user)
		data["where"] = d.name
		return printJSON(std.Out, data)
	}
	_, err = fmt.Fprintf(std.Out, "%s %s created with id %d in %s\n", user.Role, user.Account, user.ID,
		d.name)
	return err
}

// plain writes the fields of a validation error as the command line names them.
func plain(err error) error {
	var v models.ValidationError
	if !errors.As(err, &v) {
		return err
	}
	names := map[string]string{"secret": "password", "new": "password", "type": "client type"}
	var problems []string
	for _, field := range slices.Sorted(maps.Keys(v)) {
		name := cmp.Or(names[field], field)
		for _, problem := range v[field] {
			problems = append(problems, name+": "+strings.TrimSuffix(problem, "."))
		}
	}
	return errors.New(strings.Join(problems, "; "))
}

type userListCmd struct {
	configFlags `group:"config"`

	State string `default:"" enum:"active,disabled,pending," placeholder:"STATE" help:"List only the accounts that are active, disabled or pending, which means that they wait for approval (default: all)."`
	JSON  bool   `name:"json" help:"Print JSON, one object a line."`
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
		users, err := d.store.Users(ctx, models.UserFilter{After: after, State: u.state()})
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

// state returns the state to list, 0 for all.
func (u *userListCmd) state() models.State {
	return map[string]models.State{"active": models.Active, "disabled": models.Disabled,
		"pending": models.Pending}[u.State]
}

func userJSON(u models.User) map[string]any {
	return map[string]any{"id": u.ID, "account": u.Account, "type": u.ClientType,
		"nickname": u.Nickname, "role": u.Role.String(), "state": u.State.String(),
		"created_at": u.CreatedAt}
}

// change opens the data directory, changes one account, and prints what was done and where.
func (f *configFlags) change(ctx context.Context, std Console, account string,
	do func(*auth.Authority, models.User) (done string, err error)) error {
	d, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	var done string
	user, err := d.user(ctx, account)
	if err == nil {
		done, err = do(d.authority, user)
	}
	if err != nil {
		return accountError(account, err)
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s (in %s)\n", user.Account, done, d.name)
	return err
}

// user returns the user of an account that was typed as it is stored; A to Z may be in either case.
// Other spellings belong to the same account, but may be meant for another: whoever registers
// straße@b.cn must not get what is meant for strasse@b.cn. Errors: spellingError,
// models.ErrNotFound.
func (d directory) user(ctx context.Context, account string) (models.User, error) {
	user, err := d.store.UserByAccount(ctx, account)
	if err == nil && lowerASCII(user.Account) != lowerASCII(account) {
		return models.User{}, spellingError(user.Account)
	}
	return user, err
}

// spellingError means that an account is stored in this spelling, not in the one that was typed.
type spellingError string

// Error names the stored spelling, also in ASCII, because the two may look alike.
func (e spellingError) Error() string {
	return fmt.Sprintf("it is stored as %s (%s) and nothing was done; repeat the command with the "+
		"stored spelling if you mean this account", string(e), strconv.QuoteToASCII(string(e)))
}

// lowerASCII maps A to Z to lower case, and no other letter.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r - 'A' + 'a'
		}
		return r
	}, s)
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
	return fmt.Errorf("account %s: %w", account, plain(err))
}

type userPasswdCmd struct {
	configFlags `group:"config"`

	Account     string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
	SecretStdin bool   `help:"Read the password from one line of standard input."`
}

// Run sets the password.
func (u *userPasswdCmd) Run(ctx context.Context, std Console) error {
	password, err := readNewPassword(ctx, std, u.SecretStdin)
	if err != nil {
		return err
	}
	return u.change(ctx, std, u.Account, func(a *auth.Authority, user models.User) (string, error) {
		return "password set, tokens revoked", a.SetPassword(ctx, user.ID, password)
	})
}

type userRoleCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
	Role    string `arg:"" enum:"user,admin" help:"user or admin."`
}

// Run changes the role.
func (u *userRoleCmd) Run(ctx context.Context, std Console) error {
	role := models.RoleUser
	if u.Role == "admin" {
		role = models.RoleAdministrator
	}
	return u.change(ctx, std, u.Account, func(a *auth.Authority, user models.User) (string, error) {
		if user.Role == role {
			return "was " + role.String() + " already, nothing changed", nil
		}
		return "now " + role.String() + ", tokens revoked",
			a.Change(ctx, user.ID, auth.Change{Role: &role})
	})
}

type userDisableCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
}

// Run disables the account.
func (u *userDisableCmd) Run(ctx context.Context, std Console) error {
	return u.setState(ctx, std, u.Account, models.Disabled)
}

type userEnableCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
}

// Run enables the account.
func (u *userEnableCmd) Run(ctx context.Context, std Console) error {
	return u.setState(ctx, std, u.Account, models.Active)
}

func (f *configFlags) setState(
	ctx context.Context, std Console, account string, state models.State,
) error {
	return f.change(ctx, std, account, func(a *auth.Authority, user models.User) (string, error) {
		if user.State == state {
			return "was " + state.String() + " already, nothing changed", nil
		}
		return "now " + state.String() + ", tokens revoked",
			a.Change(ctx, user.ID, auth.Change{State: &state})
	})
}

type userDeleteCmd struct {
	configFlags `group:"config"`
	yesFlag

	Account string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
}

// Run deletes the account.
func (u *userDeleteCmd) Run(ctx context.Context, std Console) error {
	err := u.confirm(ctx, std, "Delete "+u.Account+" and revoke its tokens?")
	if err != nil {
		return err
	}
	return u.change(ctx, std, u.Account, func(a *auth.Authority, user models.User) (string, error) {
		return "deleted, tokens revoked", a.Delete(ctx, user.ID)
	})
}
