package auth

import (
	"context"
	"maps"
	"slices"
	"time"

	"latchkey/models"
)

// Tokens returns a page of a user's valid tokens, newest first. Their last use includes what this
// process has not stored yet.
func (a *Authority) Tokens(ctx context.Context, f models.TokenFilter) ([]models.Token, error) {
	tokens, err := a.store.Tokens(ctx, f)
	for i, t := range tokens {
		tokens[i].UsedAt = a.used.last(t.ID, t.UsedAt)
	}
	return tokens, err
}

// Grantable returns the names of the scopes that maxScope includes, the default first.
func (a *Authority) Grantable(maxScope models.Scope) []string {
	var names []string
	for _, scope := range slices.Sorted(maps.Keys(a.scopes)) {
		if maxScope.Includes(scope) {
			names = append(names, a.scopes.Name(scope))
		}
	}
	return names
}

// MaxTokenTTL returns the maximum lifetime of a service token.
func (a *Authority) MaxTokenTTL() time.Duration { return a.options.MaxTokenTTL }

// Revoke revokes one token. When it returns, the token is rejected. Revoking a token again is not
// an error. Errors: models.ErrNotFound for a token that was never issued.
func (a *Authority) Revoke(ctx context.Context, id models.TokenID, reason string) error {
	reason = a.reason(reason)
	revocation, err := a.store.RevokeToken(ctx, id, reason)
	if err != nil {
		return err
	}
	a.addRevocations(ctx, reason, revocation)
	if revocation.IsZero() {
		_, err = a.store.TokenByID(ctx, id)
	}
	return err
}

// RevokeOthers revokes every token of a user except one.
func (a *Authority) RevokeOthers(ctx context.Context, except models.TokenID, reason string) error {
	reason = a.reason(reason)
	revocations, err := a.store.RevokeOthers(ctx, except, reason)
	if err != nil {
		return err
	}
	a.addRevocations(ctx, reason, revocations...)
	return nil
}

// RevokeAll revokes every token of a user. Errors: models.ErrNotFound for an unknown user.
func (a *Authority) RevokeAll(ctx context.Context, uid uint32, reason string) error {
	reason = a.reason(reason)
	revocation, err := a.store.RevokeAll(ctx, uid, reason)
	if err != nil {
		return err
	}
	a.addRevocations(ctx, reason, revocation)
	if revocation.IsZero() {
		_, err = a.store.UserByID(ctx, uid)
	}
	return err
}
