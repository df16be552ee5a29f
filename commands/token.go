package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"latchkey/auth"
	"latchkey/models"
)

// commandLine is the address of tokens that were issued here.
const commandLine = "command line"

// tokenCmd is latchkey token.
type tokenCmd struct {
	Get     tokenGetCmd     `cmd:"" default:"withargs" help:"Print a fresh token of one's own login."`
	Issue   tokenIssueCmd   `cmd:"" help:"Issue a token to an account and print it."`
	Inspect tokenInspectCmd `cmd:"" help:"Explain any token in one sentence."`
	List    tokenListCmd    `cmd:"" help:"List the live tokens of an account."`
	Revoke  tokenRevokeCmd  `cmd:"" help:"End tokens, by the token, by its id, or all of an account."`
}

type tokenIssueCmd struct {
	Account string        `arg:""`
	TTL     time.Duration `name:"ttl" help:"Lifetime, such as 90s (default: --token-ttl)."`
	Scope   string        `env:"-" placeholder:"NAME" help:"Scope (default: that of the account)."`
	Label   string        `help:"Make it a service's token with this label."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Run prints the token alone.
func (t *tokenIssueCmd) Run(ctx context.Context, c *cli, std Console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	issued, err := d.authority.IssueFor(ctx, auth.IssueRequest{Account: t.Account, TTL: t.TTL,
		Scope: t.Scope, Label: t.Label, Client: auth.Client{Address: commandLine}})
	if errors.Is(err, models.ErrChanged) {
		err = errors.New("the account is disabled")
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", t.Account, err)
	}
	if t.JSON {
		i := issued.Identity
		return json.NewEncoder(std.Out).Encode(map[string]any{"token": issued.Token, "uid": i.UID,
			"id": i.TokenID.String(), "scope": d.authority.ScopeName(i.Scope),
			"expires_at": i.ExpiresAt})
	}
	_, err = fmt.Fprintln(std.Out, issued.Token)
	return err
}

type tokenInspectCmd struct {
	Token string `arg:"" help:"The token."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run explains the token.
func (t *tokenInspectCmd) Run(ctx context.Context, c *cli, std Console) error {
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
		return json.NewEncoder(std.Out).Encode(in)
	}
	_, err = fmt.Fprintln(std.Out, in)
	return err
}

type tokenListCmd struct {
	Account string `arg:""`
	JSON    bool   `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the tokens, newest first.
func (t *tokenListCmd) Run(ctx context.Context, c *cli, std Console) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	user, err := d.store.UserByAccount(ctx, t.Account)
	if err != nil {
		return fmt.Errorf("account %s: %w", t.Account, err)
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	if !t.JSON {
		fmt.Fprintln(table, "ID\tKIND\tSCOPE\tLABEL\tISSUED\tEXPIRES\tLAST USED\tADDRESS")
	}
	f := models.TokenFilter{UID: user.ID, Limit: 1000}
	for {
		tokens, err := d.authority.Tokens(ctx, f)
		if err != nil || len(tokens) == 0 {
			return errors.Join(err, table.Flush())
		}
		for _, one := range tokens {
			scope := d.authority.ScopeName(one.Scope)
			if err := printToken(table, std.Out, one, scope, t.JSON); err != nil {
				return err
			}
			f.Before = one.ID
		}
	}
}

func printToken(table, out io.Writer, t models.Token, scope string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"id": t.ID.String(),
			"kind": t.Kind.String(), "type": t.ClientType, "scope": scope, "label": t.Label,
			"issued_at": t.ID.IssuedAt, "expires_at": t.EndsAt, "last_used_at": t.UsedAt,
			"address": t.Address, "user_agent": t.UserAgent})
	}
	used := "never"
	if t.UsedAt != 0 {
		used = stamp(t.UsedAt)
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Kind, scope, t.Label,
		stamp(t.ID.IssuedAt), stamp(t.EndsAt), used, t.Address)
	return err
}

type tokenRevokeCmd struct {
	Tokens []string `arg:"" optional:"" name:"token" help:"Tokens, or ids as token list shows them."`
	All    string   `placeholder:"ACCOUNT" help:"Every token of this account."`
}

// Run ends the tokens; the running server refuses them at its next look at the store.
func (t *tokenRevokeCmd) Run(ctx context.Context, c *cli, std Console) error {
	if (len(t.Tokens) == 0) == (t.All == "") {
		return errors.New("name tokens to end, or an account with --all")
	}
	if t.All != "" {
		return c.change(ctx, t.All, std, "all tokens ended",
			func(a *auth.Authority, uid uint32) error { return a.RevokeAll(ctx, uid, revoked) })
	}
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	for i, text := range t.Tokens {
		id, ok := models.ParseTokenID(text)
		if !ok {
			in, err := d.authority.Inspect(ctx, text)
			if err != nil {
				return err
			}
			if id = in.Identity.TokenID; id == (models.TokenID{}) {
				return fmt.Errorf("argument %d: %w", i+1, in.Refused)
			}
		}
		if err := d.authority.Revoke(ctx, id, revoked); err != nil {
			return fmt.Errorf("token %s: %w", id, err)
		}
		fmt.Fprintf(std.Out, "token %s: ended\n", id)
	}
	return nil
}

// revoked is the reason of tokens that are ended here.
const revoked = "ended on the command line"

// stamp is a Unix time as the commands print it.
func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
