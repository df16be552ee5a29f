//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/auth"
	"latchkey/models"
)

// keyCmd is latchkey key.
type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List the signing keys and the number of live tokens of each."`
	Rotate keyRotateCmd `cmd:"" help:"Create a new signing key; tokens stay valid."`
	Retire keyRetireCmd `cmd:"" help:"Delete a key; with --now even if its tokens are still valid."`
	Reseal keyResealCmd `cmd:"" help:"Replace the master key; tokens stay valid."`
}

// withKeys opens the data directory and works on its keys.
func (f *configFlags) withKeys(ctx context.Context, do func(directory) error) error {
	d, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	err = do(d)
	if errors.Is(err, models.ErrChanged) {
		err = errors.New("another process changed the keys at the same time: look at latchkey key list")
	}
	return err
}

type keyListCmd struct {
	configFlags `group:"config"`

	JSON bool `name:"json" help:"Print JSON, one object a line."`
}

// Run prints the keys, newest first.
func (k *keyListCmd) Run(ctx context.Context, std Console) error {
	return k.withKeys(ctx, func(d directory) error {
		keys, err := d.authority.Keys(ctx)
		if err != nil {
			return err
		}
		var t table
		t.add("KEY", "STATE", "AGE", "CREATED", "SIGNS FROM", "LIVE TOKENS", "OF USERS")
		for _, key := range keys {
			if !k.JSON {
				t.add(key.ID, key.State, age(time.Since(time.Unix(key.CreatedAt, 0))),
					stamp(key.CreatedAt), stamp(key.SignsAt), key.Use.Tokens, key.Use.Users)
			} else if err := printJSON(std.Out, keyJSON(key)); err != nil {
				return err
			}
		}
		if k.JSON {
			return nil
		}
		return t.print(std.Out)
	})
}

func keyJSON(key auth.KeyInfo) map[string]any {
	return map[string]any{"id": key.ID, "state": key.State, "created_at": key.CreatedAt,
		"signs_at": key.SignsAt, "live_tokens": key.Use.Tokens, "users": key.Use.Users}
}

// age formats a duration in days, below two days in smaller units.
func age(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Truncate(time.Second).String()
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

type keyRotateCmd struct {
	configFlags `group:"config"`

	JSON bool `name:"json" help:"Print JSON."`
}

// Run creates the new key.
func (k *keyRotateCmd) Run(ctx context.Context, std Console) error {
	return k.withKeys(ctx, func(d directory) error {
		key, err := d.authority.RotateKey(ctx)
		switch {
		case err != nil:
			return err
		case k.JSON:
			data := keyJSON(key)
			data["where"] = d.name
			return printJSON(std.Out, data)
		}
		_, err = fmt.Fprintf(std.Out, "key %d signs from %s (in %s)\n", key.ID, stamp(key.SignsAt),
			d.name)
		return err
	})
}

type keyRetireCmd struct {
	configFlags `group:"config"`
	yesFlag

	ID  int64 `arg:"" name:"key" help:"Number of the key; latchkey key list shows it."`
	Now bool  `help:"Delete it even if its tokens are still valid: they are revoked."`
}

// Run deletes the key. With --now it revokes the key's tokens.
func (k *keyRetireCmd) Run(ctx context.Context, std Console) error {
	return k.withKeys(ctx, func(d directory) error {
		keys, err := d.authority.Keys(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(keys, func(key auth.KeyInfo) bool { return key.ID == k.ID })
		if at < 0 {
			return fmt.Errorf("key %d: not found; latchkey key list shows all", k.ID)
		}
		tokens := fmt.Sprintf("%d live tokens of %d users", keys[at].Use.Tokens, keys[at].Use.Users)
		if k.Now {
			question := fmt.Sprintf("Delete key %d and revoke its %s?", k.ID, tokens)
			if err := k.confirm(ctx, std, question); err != nil {
				return err
			}
		}
		if err := d.authority.RetireKey(ctx, k.ID, k.Now); err != nil {
			if errors.Is(err, auth.ErrKeyInUse) {
				return fmt.Errorf("key %d: %w; to revoke them, pass --now", k.ID, err)
			}
			return fmt.Errorf("key %d: %w", k.ID, err)
		}
		_, err = fmt.Fprintf(std.Out, "key %d: retired with %s (in %s)\n", k.ID, tokens, d.name)
		return err
	})
}

type keyResealCmd struct {
	configFlags `group:"config"`
}

// Run replaces the master key.
func (k *keyResealCmd) Run(ctx context.Context, std Console) error {
	return k.withKeys(ctx, func(d directory) error {
		err := d.authority.Reseal(ctx)
		if err == nil {
			fmt.Fprintf(std.Out, "the signing keys are sealed under a new master key: back up %s (in %s)\n",
				k.masterKeyFile(), d.name)
		}
		return err
	})
}
