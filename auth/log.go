package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"latchkey/models"
)

// maxLines is how many revocations of one change are logged one by one.
const maxLines = 10

type actorKey struct{}

// WithActor returns a context that names who acts in it, for the log: a token by its id, "uid 7",
// "command line".
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// actorOf returns who acts in a context. Without WithActor that is someone with a password or a
// link, who has no token.
func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return cmp.Or(actor, "a password or a link")
}

// addRevocations adds what the store has revoked to the revoked tokens in memory, and logs it.
func (a *Authority) addRevocations(
	ctx context.Context, reason string, revocations ...models.Revocation,
) {
	log := a.options.Logger.With("by", actorOf(ctx), "reason", reason)
	count := 0
	for _, r := range revocations {
		a.revoked.add(r)
		switch {
		case r.IsZero():
			continue
		case r.EarlierToo:
			log.Info("all tokens of a user revoked", "uid", r.Through.UID, "through", r.Through.String())
		case count < maxLines:
			log.Info("token revoked", "token", r.Through.String())
		}
		count++
	}
	if count > maxLines {
		log.Info("more tokens revoked", "uid", revocations[0].Through.UID, "more", count-maxLines)
	}
}

// rejection is an error with what the log may name of a rejected request: the account, which
// exists, or the token, which has the right signature.
type rejection struct {
	error

	attr slog.Attr
}

// Unwrap returns the error.
func (r rejection) Unwrap() error { return r.error }

// RejectionAttr returns the attribute that names the account or the token of a rejected request. ok
// is false if nothing is known of it that may be logged.
func RejectionAttr(err error) (attr slog.Attr, ok bool) {
	var r rejection
	ok = errors.As(err, &r)
	return r.attr, ok
}

// rejectToken names the token in an error.
func rejectToken(id models.TokenID, err error) error {
	return rejection{err, slog.String("token", id.String())}
}

// rejectLogin names the account in the error of a failed login, as it is stored. What was typed
// could be a password in the wrong field. user is zero for an unknown account.
func rejectLogin(user models.User, err error) error {
	var failed *LoginError
	if user.ID == 0 || !errors.As(err, &failed) {
		return err
	}
	return rejection{err, slog.Group("", "account", user.Account, "uid", user.ID)}
}
