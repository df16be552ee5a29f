package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/models"
)

// KeyState is the state of a signing key.
type KeyState string

// The states of a key, in the order of its life.
const (
	KeyWaits    KeyState = "waits"    // it will sign once every process knows it
	KeySigns    KeyState = "signs"    // it signs new tokens
	KeyVerifies KeyState = "verifies" // it only verifies the tokens that it signed
)

// KeyInfo describes a signing key without its bytes.
type KeyInfo struct {
	ID        int64
	CreatedAt int64 // Unix seconds
	SignsAt   int64 // Unix seconds
	State     KeyState
	Use       models.KeyUse
}

// ErrKeyInUse means that a key cannot be retired because it signs or has valid tokens.
var ErrKeyInUse = errors.New("the key is in use")

// ErrKeyWaits means that the keys cannot be rotated because a new key does not sign yet.
var ErrKeyWaits = errors.New("a new key is waiting to sign")

// Keys returns the keys, newest first.
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

// signDelay returns how long a new key must wait before it signs, in seconds. A process that does
// not know the key by then has not read the store for longer than its lag, so it accepts no token.
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

// nodeClocks is how far the clocks of two nodes may differ, in seconds.
const nodeClocks = 60

// RotateKey creates a new key. It signs after signDelay, or as soon as all nodes have reported that
// they know it. The earlier keys verify until their last token has expired. Errors: ErrKeyWaits,
// and models.ErrChanged if another process changed the keys at the same time.
func (a *Authority) RotateKey(ctx context.Context) (KeyInfo, error) {
	keys, err := a.Keys(ctx)
	if err != nil {
		return KeyInfo{}, err
	}
	if keys[0].State == KeyWaits {
		return keys[0], fmt.Errorf("%w: key %d, from %s", ErrKeyWaits, keys[0].ID,
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

// RetireKey deletes a key and with it every token that it signed. Without force, it does so only if
// the key neither signs nor has valid tokens. If the key signs, a new one is created that signs at
// once. Errors: models.ErrNotFound, ErrKeyInUse, models.ErrChanged.
func (a *Authority) RetireKey(ctx context.Context, id int64, force bool) error {
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
	if !force && (key.Use.Tokens > 0 || key.State == KeySigns) {
		return fmt.Errorf("%w: it %s, and %d tokens of %d users would be rejected",
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

// Reseal replaces the master key by a new one and seals the signing keys under it. Running servers
// pick it up. If Reseal is interrupted, one of the two master keys on disk opens the signing keys,
// and the next start finds it.
func (a *Authority) Reseal(ctx context.Context) error {
	r := a.ring
	old := *r.masterKey.Load()
	// A pending one is left from an interrupted Reseal; it is as good as a new one.
	pending, err := CreateMasterKey(pendingMasterKey(r.path))
	if err != nil {
		return err
	}
	err = r.store.ResealKeys(ctx, r.now.Load().number, func(k models.SealedKey) ([]byte, error) {
		key, err := openKey(k, old)
		if err != nil {
			return nil, err
		}
		return pending.seal(key, keyRow(k.ID, k.CreatedAt))
	})
	if err != nil {
		return err // the pending file stays, because the keys may be sealed under it
	}
	r.masterKey.Store(&pending)
	return r.adopt()
}
