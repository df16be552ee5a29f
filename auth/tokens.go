package auth

import (
	"context"
	"maps"
	"slices"
	"time"

	"latchkey/models"
)

// Tokens returns a page of a user's live tokens, newest first, with what this process knows of
// their last use.
func (a *Authority) Tokens(ctx context.Context, f models.TokenFilter) ([]models.Token, error) {
	tokens, err := a.store.Tokens(ctx, f)
	for i, t := range tokens {
		tokens[i].UsedAt = a.used.last(t.ID, t.UsedAt)
	}
	return tokens, err
}

// Grantable names the scopes that a token of a scope can give to another, the usual one first.
func (a *Authority) Grantable(most models.Scope) []string {
	var names []string
	for _, scope := range slices.Sorted(maps.Keys(a.scopes)) {
		if most.Includes(scope) {
			names = append(names, a.scopes.Name(scope))
		}
	}
	return names
}

// MaxTokenTTL is the longest lifetime of a service's token.
func (a *Authority) MaxTokenTTL() time.Duration { return a.options.MaxTokenTTL }

// Revoke ends one token: it is refused from the moment End returns. Ending an ended token is no
// error. Errors: models.ErrNotFound for one that was never issued.
func (a *Authority) Revoke(ctx context.Context, id models.TokenID, reason string) error {
	ending, err := a.store.RevokeToken(ctx, id, reason)
	if err != nil {
		return err
	}
	a.revoked.add(ending)
	if ending.IsZero() {
		_, err = a.store.TokenByID(ctx, id)
	}
	return err
}

// RevokeOthers ends every token of a user but the one given.
func (a *Authority) RevokeOthers(ctx context.Context, but models.TokenID, reason string) error {
	endings, err := a.store.RevokeOthers(ctx, but, reason)
	for _, ending := range endings {
		a.revoked.add(ending)
	}
	return err
}

// RevokeAll ends every token of a user. Errors: models.ErrNotFound for an unknown user.
func (a *Authority) RevokeAll(ctx context.Context, uid uint32, reason string) error {
	ending, err := a.store.RevokeAll(ctx, uid, reason)
	if err != nil {
		return err
	}
	a.revoked.add(ending)
	if ending.IsZero() {
		_, err = a.store.UserByID(ctx, uid)
	}
	return err
}
