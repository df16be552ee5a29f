//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/auth"
	"latchkey/models"
)

// commandLine is the address of tokens that were issued here.
const commandLine = "command line"

type tokenIssueCmd struct {
	configFlags `group:"config"`

	Account string         `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
	TTL     *time.Duration `name:"ttl" help:"Lifetime; makes it a service token (default: --token-ttl)."`
	Scope   string         `placeholder:"NAME" help:"Scope (default: that of the account)."`
	Label   string         `placeholder:"TEXT" help:"Label; makes it a service token (default: none)."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// Validate checks the flags before anything is opened.
func (t *tokenIssueCmd) Validate() error {
	if err := t.configFlags.Validate(); err != nil || t.TTL == nil {
		return err
	}
	if _, err := auth.Lifetime(*t.TTL); err != nil {
		return fmt.Errorf("--ttl: %w", err)
	}
	return nil
}

// Run prints the token.
func (t *tokenIssueCmd) Run(ctx context.Context, std Console) error {
	d, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	user, err := d.user(ctx, t.Account)
	if err != nil {
		return accountError(t.Account, err)
	}
	request := auth.IssueRequest{UID: user.ID, Scope: t.Scope, Label: t.Label,
		Client: auth.Client{Address: commandLine}}
	if t.TTL != nil {
		request.TTL = *t.TTL
	}
	issued, err := d.authority.IssueFor(ctx, request)
	if errors.Is(err, models.ErrChanged) {
		err = errors.New("disabled; enable it first: latchkey user enable ACCOUNT")
	}
	if err != nil {
		return accountError(t.Account, err)
	}
	if t.JSON {
		i := issued.Identity
		return printJSON(std.Out, map[string]any{"token": issued.Token, "uid": i.UID,
			"id": i.TokenID.String(), "scope": d.authority.ScopeName(i.Scope),
			"expires_at": i.ExpiresAt, "where": d.name})
	}
	fmt.Fprintf(std.Err, "issued in %s\n", d.name) // standard output holds the token alone
	_, err = fmt.Fprintln(std.Out, issued.Token)
	return err
}

type tokenInspectCmd struct {
	configFlags `group:"config"`

	Token string `arg:"" help:"The token; - reads it from standard input."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run explains the token. It fails if the token is not accepted.
func (t *tokenInspectCmd) Run(ctx context.Context, std Console) error {
	token, err := readToken(std, t.Token)
	if err != nil {
		return err
	}
	d, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	in, err := d.authority.Inspect(ctx, token)
	if err != nil {
		return err
	}
	if t.JSON {
		err = printJSON(std.Out, in)
	} else {
		_, err = fmt.Fprintln(std.Out, in)
	}
	if err == nil && in.Refused != nil {
		err = errReported
	}
	return err
}

// readToken returns a token argument, or the first line of standard input for "-".
func readToken(std Console, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	return readLine(std.In, "token")
}

type tokenListCmd struct {
	configFlags `group:"config"`

	Account string `arg:"" help:"E-mail address or mobile number, spelled as in user list; A to Z in either case."`
	JSON    bool   `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the live tokens, newest first.
func (t *tokenListCmd) Run(ctx context.Context, std Console) error {
	d, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	user, err := d.user(ctx, t.Account)
	if err != nil {
		return accountError(t.Account, err)
	}
	var rows table
	rows.add("ID", "KIND", "SCOPE", "LABEL", "ISSUED", "EXPIRES", "LAST USED", "ADDRESS")
	f := models.TokenFilter{UID: user.ID, Limit: 1000}
	for {
		tokens, err := d.authority.Tokens(ctx, f)
		if err != nil {
			return err
		}
		if len(tokens) == 0 {
			break
		}
		for _, token := range tokens {
			f.Before = token.ID
			scope := d.authority.ScopeName(token.Scope)
			if !t.JSON {
				rows.add(tokenCells(token, scope)...)
			} else if err := printJSON(std.Out, tokenJSON(token, scope)); err != nil {
				return err
			}
		}
	}
	if t.JSON {
		return nil
	}
	return rows.print(std.Out)
}

func tokenCells(t models.Token, scope string) []any {
	used := "never"
	if t.UsedAt != 0 {
		used = stamp(t.UsedAt)
	}
	return []any{t.ID, t.Kind, scope, t.Label, stamp(t.ID.IssuedAt), stamp(t.EndsAt), used, t.Address}
}

func tokenJSON(t models.Token, scope string) map[string]any {
	return map[string]any{"id": t.ID.String(), "kind": t.Kind.String(), "type": t.ClientType,
		"scope": scope, "label": t.Label, "issued_at": t.ID.IssuedAt, "expires_at": t.EndsAt,
		"last_used_at": t.UsedAt, "address": t.Address, "user_agent": t.UserAgent}
}

type tokenRevokeCmd struct {
	configFlags `group:"config"`
	yesFlag

	Tokens []string `arg:"" optional:"" name:"token" help:"Tokens, or ids from token list; - reads a token from standard input."`
	All    string   `placeholder:"ACCOUNT" help:"Revoke every token of this account, spelled as in user list; A to Z in either case."`
}

// Validate checks the command line before anything is opened.
func (t *tokenRevokeCmd) Validate() error {
	if (len(t.Tokens) == 0) == (t.All == "") {
		return errors.New("name tokens to revoke, or an account with --all")
	}
	return t.configFlags.Validate()
}

// Run revokes the tokens. A running server rejects them as soon as it reads the store again.
func (t *tokenRevokeCmd) Run(ctx context.Context, std Console) error {
	if t.All != "" {
		return t.revokeAll(ctx, std)
	}
	d, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	for i, argument := range t.Tokens {
		id, err := tokenID(ctx, d.authority, std, argument)
		if err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
		if err := d.authority.Revoke(ctx, id, revokedHere); err != nil {
			return fmt.Errorf("token %s: %w", id, err)
		}
		fmt.Fprintf(std.Out, "token %s: revoked (in %s)\n", id, d.name)
	}
	return nil
}

func (t *tokenRevokeCmd) revokeAll(ctx context.Context, std Console) error {
	if err := t.confirm(ctx, std, "Revoke every token of "+t.All+"?"); err != nil {
		return err
	}
	return t.change(ctx, std, t.All, func(a *auth.Authority, user models.User) (string, error) {
		return "all tokens revoked", a.RevokeAll(ctx, user.ID, revokedHere)
	})
}

// tokenID finds the id of a token that is named by its id or its value.
func tokenID(
	ctx context.Context, a *auth.Authority, std Console, argument string,
) (models.TokenID, error) {
	token, err := readToken(std, argument)
	if err != nil {
		return models.TokenID{}, err
	}
	if id, ok := models.ParseTokenID(token); ok {
		return id, nil
	}
	in, err := a.Inspect(ctx, token)
	if err == nil && in.Identity.TokenID == (models.TokenID{}) {
		err = in.Refused
	}
	return in.Identity.TokenID, err
}

// revokedHere is the reason of tokens that are revoked by a command, before "on the command line".
const revokedHere = "revoked"
