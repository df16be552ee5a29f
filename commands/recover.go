package commands

import (
	"context"
	"fmt"

	"latchkey/auth"
)

// recoverCmd is latchkey recover.
type recoverCmd struct{}

// Run makes the data directory usable again, and says what that took.
func (recoverCmd) Run(ctx context.Context, c *cli, std Console) error {
	var damaged []uint32
	c.recover = func(ctx context.Context, ring *auth.KeyRing) (err error) {
		damaged, err = ring.Recover(ctx)
		return err
	}
	d, err := c.open(ctx, false, nil)
	if err != nil {
		return err
	}
	for _, id := range damaged {
		user, err := d.store.UserByID(ctx, id)
		if err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "user %d, %s, was damaged: look at it, set its secret, enable it\n", id,
			user.Account)
	}
	fmt.Fprintln(std.Out, "every token and every link has ended: log in again")
	return d.Close()
}
