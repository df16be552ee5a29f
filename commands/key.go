package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"latchkey/auth"
	"latchkey/models"
)

// keyCmd is latchkey key.
type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List the signing keys and how many live tokens each carries."`
	Rotate keyRotateCmd `cmd:"" help:"Make a new signing key; tokens of the old ones stay valid."`
	Retire keyRetireCmd `cmd:"" help:"Delete a key; with --now its tokens end."`
	Reseal keyResealCmd `cmd:"" help:"Replace the data directory's secret; tokens stay valid."`
}

// withAuthority opens the data directory and does something to its keys.
func (c *cli) withAuthority(ctx context.Context, do func(*auth.Authority) error) error {
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	err = do(d.authority)
	if errors.Is(err, models.ErrChanged) {
		err = errors.New("the keys were changed at the same moment: look at key list")
	}
	return err
}

type keyListCmd struct {
	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the keys, newest first.
func (k *keyListCmd) Run(ctx context.Context, c *cli, std Console) error {
	return c.withAuthority(ctx, func(a *auth.Authority) error {
		keys, err := a.Keys(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
		if !k.JSON {
			fmt.Fprintln(table, "KEY\tSTATE\tAGE\tCREATED\tSIGNS FROM\tLIVE TOKENS\tOF USERS")
		}
		for _, key := range keys {
			if err := k.print(std, table, key); err != nil {
				return err
			}
		}
		return table.Flush()
	})
}

func (k *keyListCmd) print(std Console, table *tabwriter.Writer, key auth.KeyInfo) error {
	if k.JSON {
		return json.NewEncoder(std.Out).Encode(map[string]any{"id": key.ID, "state": key.State,
			"created_at": key.CreatedAt, "signs_at": key.SignsAt,
			"live_tokens": key.Use.Tokens, "users": key.Use.Users})
	}
	_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\t%d\n", key.ID, key.State,
		age(time.Since(time.Unix(key.CreatedAt, 0))), stamp(key.CreatedAt), stamp(key.SignsAt),
		key.Use.Tokens, key.Use.Users)
	return err
}

// age is a duration in days, or in smaller units below two days.
func age(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Truncate(time.Second).String()
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

type keyRotateCmd struct{}

// Run makes the new key.
func (keyRotateCmd) Run(ctx context.Context, c *cli, std Console) error {
	return c.withAuthority(ctx, func(a *auth.Authority) error {
		key, err := a.RotateKey(ctx)
		if err == nil {
			fmt.Fprintf(std.Out, "key %d signs from %s on\n", key.ID, stamp(key.SignsAt))
		}
		return err
	})
}

type keyRetireCmd struct {
	ID  int64 `arg:"" name:"key" help:"Number of the key, as key list shows it."`
	Now bool  `help:"Even if its tokens are still accepted: they end."`
}

// Run deletes the key, after saying what that ends.
func (k *keyRetireCmd) Run(ctx context.Context, c *cli, std Console) error {
	return c.withAuthority(ctx, func(a *auth.Authority) error {
		keys, err := a.Keys(ctx)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if key.ID == k.ID && k.Now {
				fmt.Fprintf(std.Out, "key %d: %d live tokens of %d users end\n",
					key.ID, key.Use.Tokens, key.Use.Users)
			}
		}
		if err := a.RetireKey(ctx, k.ID, k.Now); err != nil {
			if errors.Is(err, auth.ErrKeyInUse) {
				return fmt.Errorf("key %d: %w; --now retires it all the same", k.ID, err)
			}
			return fmt.Errorf("key %d: %w", k.ID, err)
		}
		fmt.Fprintf(std.Out, "key %d: retired\n", k.ID)
		return nil
	})
}

type keyResealCmd struct{}

// Run replaces the secret.
func (keyResealCmd) Run(ctx context.Context, c *cli, std Console) error {
	return c.withAuthority(ctx, func(a *auth.Authority) error {
		err := a.Reseal(ctx)
		if err == nil {
			fmt.Fprintln(std.Out, "the keys are sealed under a new secret: back it up")
		}
		return err
	})
}
