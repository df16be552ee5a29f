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

// byCommand ends the reasons of revocations by a command. The server, another process, finds them
// by it.
const byCommand = " on the command line"

// reason completes the reason of a revocation.
func (a *Authority) reason(reason string) string {
	if a.options.CommandLine {
		reason += byCommand
	}
	return reason
}

// logCommands logs the revocations by commands, which have no log, numbered above after, up to and
// including through, at most maxLines.
func (f *follower) logCommands(ctx context.Context, after, through int64) error {
	if !f.log.Enabled(ctx, slog.LevelInfo) {
		return nil
	}
	logged := 0
	return f.store.RevocationsWhy(ctx, after, through, byCommand,
		func(r models.Revocation, reason string) {
			if logged++; logged <= maxLines {
				logRevocation(f.log.With("by", "command line", "reason", reason), r)
			}
		})
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
	log, logged := a.options.Logger.With("by", actorOf(ctx), "reason", reason), 0
	for _, r := range revocations {
		if r.IsZero() {
			continue
		}
		a.revoked.add(r)
		if logged++; logged <= maxLines {
			logRevocation(log, r)
		}
	}
	if logged > maxLines {
		log.Info("more tokens revoked", "uid", revocations[0].Through.UID, "more", logged-maxLines)
	}
}

func logRevocation(log *slog.Logger, r models.Revocation) {
	if r.EarlierToo {
		log.Info("all tokens of a user revoked", "uid", r.Through.UID, "through", r.Through.String())
		return
	}
	log.Info("token revoked", "token", r.Through.String())
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

// rejectedToken is the id of a token. It becomes text only if it is logged.
type rejectedToken models.TokenID

// LogValue returns the text.
func (t rejectedToken) LogValue() slog.Value { return slog.StringValue(models.TokenID(t).String()) }

// rejectToken names the token in an error.
func rejectToken(id models.TokenID, err error) error {
	return rejection{err, slog.Any("token", rejectedToken(id))}
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
