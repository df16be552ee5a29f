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

// End ends one token: it is refused from the moment End returns. Ending an ended token is no
// error. Errors: models.ErrNotFound for one that was never issued.
func (a *Authority) End(ctx context.Context, id models.TokenID, reason string) error {
	ending, err := a.store.EndToken(ctx, id, reason)
	if err != nil {
		return err
	}
	a.ended.add(ending)
	if ending.Nothing() {
		_, err = a.store.TokenByID(ctx, id)
	}
	return err
}

// EndOthers ends every token of a user but the one given.
func (a *Authority) EndOthers(ctx context.Context, but models.TokenID, reason string) error {
	endings, err := a.store.EndOthers(ctx, but, reason)
	for _, ending := range endings {
		a.ended.add(ending)
	}
	return err
}

// EndAll ends every token of a user. Errors: models.ErrNotFound for an unknown user.
func (a *Authority) EndAll(ctx context.Context, uid uint32, reason string) error {
	ending, err := a.store.EndAll(ctx, uid, reason)
	if err != nil {
		return err
	}
	a.ended.add(ending)
	if ending.Nothing() {
		_, err = a.store.UserByID(ctx, uid)
	}
	return err
}
