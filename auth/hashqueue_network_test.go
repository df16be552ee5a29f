package auth

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/models"
)

// originOf returns the origin of a login.
func originOf(address, account string) origin {
	return Login{Account: account, ClientType: models.TypeOf(account),
		Client: Client{Address: address}}.origin()
}

// crowd lets clients log in without a pause until ctx is done. Each hash takes 200 ms.
func crowd(ctx context.Context, q *hashQueue, origins []origin) *sync.WaitGroup {
	var wait sync.WaitGroup
	for _, o := range origins {
		wait.Go(func() {
			for ctx.Err() == nil {
				if q.enter(ctx, o) == nil {
					time.Sleep(200 * time.Millisecond)
					q.leave()
				} else {
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	return &wait
}

// TestCrowdFromOnePrefix: 96 clients of one network, each from another narrower one, do not keep a
// login from elsewhere waiting for longer than two hashes, whatever accounts they try. The same
// holds for a neighbour in the wide network, who shares its turns.
func TestCrowdFromOnePrefix(t *testing.T) {
	const owner = "owner@example.com"
	tests := map[string]struct {
		crowd   host
		account string // of the crowd; "%d": another one each time
		address string // of the owner
	}{
		"a /48":                          {hosts("2001:db8:0:%x::1", 65_536), "%d@example.com", "192.0.2.1"},
		"a /48 at the owner's account":   {hosts("2001:db8:0:%x::1", 65_536), owner, "192.0.2.1"},
		"a /56":                          {hosts("2001:db8:0:%x::1", 256), "%d@example.com", "2001:db8:1::1"},
		"a /56, neighbour in the /48":    {hosts("2001:db8:0:%x::1", 256), "%d@example.com", "2001:db8:0:100::1"},
		"a /64, neighbour in the /56":    {hosts("2001:db8::%x", 65_536), "%d@example.com", "2001:db8:0:1::1"},
		"a /24":                          {hosts("192.0.2.%d", 256), "%d@example.com", "198.51.100.1"},
		"an address, neighbour in a /24": {hosts("192.0.2.%d", 1), "%d@example.com", "192.0.2.9"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				q := &hashQueue{free: 1}
				origins := make([]origin, 96)
				for n := range origins {
					account := test.account
					if account != owner {
						account = fmt.Sprintf(account, n)
					}
					origins[n] = originOf(test.crowd(n*7), account)
				}
				wait := crowd(ctx, q, origins)
				defer wait.Wait()
				defer stop()
				for range 8 {
					time.Sleep(777 * time.Millisecond)
					started := time.Now()
					err := q.enter(t.Context(), originOf(test.address, owner))
					if waited := time.Since(started); err != nil || waited > 400*time.Millisecond {
						t.Fatalf("the owner waited %v: %v", waited, err)
					}
					q.leave()
				}
			})
		})
	}
}
