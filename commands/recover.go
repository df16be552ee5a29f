//go:build !client && !windows

package commands

import (
	"context"
	"fmt"

	"latchkey/auth"
)

// recoverCmd is latchkey recover.
type recoverCmd struct {
	configFlags `group:"config"`
	yesFlag

	JSON bool `name:"json" help:"Print JSON."`
}

// Run makes a damaged or older data directory usable, and says what that took.
func (r *recoverCmd) Run(ctx context.Context, std Console) error {
	if err := r.confirm(ctx, std, "Revoke every token and every link?"); err != nil {
		return err
	}
	var damaged []uint32
	d, err := r.openWith(ctx, opening{options: r.options(auth.Options{}, nil),
		recover: func(ctx context.Context, ring *auth.KeyRing) (err error) {
			damaged, err = ring.Recover(ctx)
			return err
		}})
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // everything is committed
	accounts := []map[string]any{}
	for _, id := range damaged {
		user, err := d.store.UserByID(ctx, id)
		if err != nil {
			return err
		}
		accounts = append(accounts, map[string]any{"id": id, "account": user.Account})
		if !r.JSON {
			fmt.Fprintf(std.Out, "user %d, %s, was damaged and is disabled: "+
				"check it, set its password, then enable it\n", id, user.Account)
		}
	}
	if r.JSON {
		return printJSON(std.Out, map[string]any{"damaged": accounts, "where": d.name})
	}
	_, err = fmt.Fprintf(std.Out, "every token and every link is revoked: log in again (in %s)\n",
		d.name)
	return err
}
