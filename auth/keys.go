package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/models"
)

// KeyState is what a key does at the moment.
type KeyState string

// The states of a key, in the order of its life.
const (
	KeyWaits    KeyState = "waits"    // it will sign when every process has seen it
	KeySigns    KeyState = "signs"    // new tokens are signed by it
	KeyVerifies KeyState = "verifies" // its tokens are accepted until the last has expired
)

// KeyInfo is what can be said of a key without its bytes.
type KeyInfo struct {
	ID        int64
	CreatedAt int64 // Unix seconds
	SignsAt   int64 // Unix seconds
	State     KeyState
	Use       models.KeyUse
}

// ErrKeyInUse refuses to retire a key that signs or whose tokens are still accepted.
var ErrKeyInUse = errors.New("the key is in use")

// ErrKeyWaits refuses to rotate while a new key waits to sign.
var ErrKeyWaits = errors.New("a new key waits to sign already")

// Keys describes the keys, newest first.
func (a *Authority) Keys(ctx context.Context) ([]KeyInfo, error) {
	keys, err := a.store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	now, state := time.Now().Unix(), KeySigns
	infos := make([]KeyInfo, 0, len(keys))
	for _, k := range keys {
		info := KeyInfo{ID: k.ID, CreatedAt: k.CreatedAt, SignsAt: k.SignsAt, State: state}
		if state == KeySigns && k.SignsAt > now {
			info.State = KeyWaits
		} else {
			state = KeyVerifies
		}
		if info.Use, err = a.store.KeyUse(ctx, k.ID); err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// signDelay is how long a new key waits before it signs, in seconds: any process that has not seen
// it by then has not read the store for so long that it accepts no token at all.
func (a *Authority) signDelay(ctx context.Context) (int64, error) {
	delay := int64((a.options.Lag+time.Second)/time.Second) + 1
	if !a.store.Shared() {
		return delay, nil
	}
	nodes, err := a.store.Nodes(ctx)
	for _, node := range nodes {
		delay = max(delay, node.Lag+1)
	}
	return delay + nodeClocks, err
}

// nodeClocks is how far the clocks of two machines may be apart, in seconds.
const nodeClocks = 60

// RotateKey makes a new key. It signs once every process has had the time to see it, or as soon as
// all nodes say that they have; the earlier keys go on verifying until their last token has
// expired. Errors: ErrKeyWaits, models.ErrChanged when another process changed the keys at the same
// time.
func (a *Authority) RotateKey(ctx context.Context) (KeyInfo, error) {
	keys, err := a.Keys(ctx)
	if err != nil {
		return KeyInfo{}, err
	}
	if keys[0].State == KeyWaits {
		return keys[0], fmt.Errorf("%w: key %d from %s on", ErrKeyWaits, keys[0].ID,
			stamp(keys[0].SignsAt))
	}
	known := a.ring.now.Load().number
	delay, err := a.signDelay(ctx)
	if err != nil {
		return KeyInfo{}, err
	}
	if err := a.store.CreateKey(ctx, known, delay, a.ring.sealNew); err != nil {
		return KeyInfo{}, err
	}
	if err := a.ring.reload(ctx); err != nil {
		return KeyInfo{}, err
	}
	if keys, err = a.Keys(ctx); err != nil {
		return KeyInfo{}, err
	}
	return keys[0], nil
}

// RetireKey deletes a key. Unless at once is asked for, it refuses while tokens of the key are
// accepted. If no other key could sign, a new one is made, which signs at once. Errors:
// models.ErrNotFound, ErrKeyInUse, models.ErrChanged.
func (a *Authority) RetireKey(ctx context.Context, id int64, atOnce bool) error {
	known := a.ring.now.Load().number
	keys, err := a.Keys(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(k KeyInfo) bool { return k.ID == id })
	if at < 0 {
		return models.ErrNotFound
	}
	key := keys[at]
	if !atOnce && (key.Use.Tokens > 0 || key.State == KeySigns) {
		return fmt.Errorf("%w: it %s, and %d tokens of %d users would end",
			ErrKeyInUse, key.State, key.Use.Tokens, key.Use.Users)
	}
	seal := a.ring.sealNew
	if key.State != KeySigns {
		seal = nil
	}
	if err := a.store.RetireKey(ctx, known, id, seal); err != nil {
		return err
	}
	return a.ring.reload(ctx)
}

// Reseal replaces the data directory's secret by a new one and seals the keys under it. Running
// servers follow. However it is cut short, one of the two secrets on disk opens the keys, and the
// next start finds it.
func (a *Authority) Reseal(ctx context.Context) error {
	r := a.ring
	old := *r.masterKey.Load()
	// One that lies there was made by a Reseal that came no further; it is as good as a new one.
	secret, err := CreateMasterKey(pendingMasterKey(r.path))
	if err != nil {
		return err
	}
	err = r.store.ResealKeys(ctx, r.now.Load().number, func(k models.SealedKey) ([]byte, error) {
		key, err := openKey(k, old)
		if err != nil {
			return nil, err
		}
		return secret.seal(key, aboutKey(k.ID, k.CreatedAt))
	})
	if err != nil {
		return err // the new secret stays: whether the keys are sealed under it is not certain
	}
	r.masterKey.Store(&secret)
	return r.adopt()
}
