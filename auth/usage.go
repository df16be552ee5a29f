package auth

import (
	"context"
	"maps"
	"sync"

	"latchkey/models"
)

// usage records when tokens were last used, until that is stored. It is safe for concurrent use.
type usage struct {
	mu      sync.Mutex
	seen    map[models.TokenID]int64 // Unix seconds
	storing map[models.TokenID]int64 // last given to the store; read-only
}

// note records that a token is used now.
func (u *usage) note(id models.TokenID, now int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen == nil {
		u.seen = map[models.TokenID]int64{}
	}
	if u.seen[id] < now {
		u.seen[id] = now
	}
}

// last returns when a token was last used, given what is stored.
func (u *usage) last(id models.TokenID, stored int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(stored, u.storing[id], u.seen[id])
}

// flush stores everything. What cannot be stored is kept for the next call. Calls must not overlap.
func (u *usage) flush(ctx context.Context, store *models.Store) error {
	u.mu.Lock()
	u.storing, u.seen = u.seen, nil
	u.mu.Unlock()
	err := store.UpdateLastUsed(ctx, u.storing)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil && u.storing != nil {
		maps.Copy(u.storing, u.seen)
		u.seen, u.storing = u.storing, nil
	}
	return err
}
