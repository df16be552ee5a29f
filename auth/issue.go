package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// Overlap is how long a renewed token still works, so that clients that share it do not lose a
// race.
const Overlap = 30 * time.Second

// ErrLoginTokenRequired refuses to a service's token what only one of a login may do: to make more tokens.
var ErrLoginTokenRequired = errors.New("only a token of a login may make tokens")

// issue stores a token and signs it, both in one transaction.
func (a *Authority) issue(ctx context.Context, n models.NewToken) (Issued, error) {
	for {
		var issued Issued
		_, ending, err := a.store.CreateToken(ctx, n, func(t models.Token) (id int64, err error) {
			issued.Identity = Identity{UID: t.ID.UID, ClientType: t.ClientType, Scope: t.Scope,
				TokenID: t.ID, ExpiresAt: t.ExpiresAt}
			issued.Token, id, err = a.ring.encode(purposeToken, issued.Identity)
			return id, err
		})
		switch {
		case errors.Is(err, errTick): // a new second has begun: at most once in a row
		case errors.Is(err, models.ErrRetired): // by another process, a moment ago
			if err := a.ring.reload(ctx); err != nil {
				return Issued{}, err
			}
		case err != nil:
			return Issued{}, err
		default:
			a.revoked.add(ending)
			return issued, nil
		}
	}
}

// newToken is a token of a login for an account that has just been read.
func (a *Authority) newToken(found models.Credentials, c Client) models.NewToken {
	return models.NewToken{
		UID:        found.User.ID,
		Epoch:      found.Epoch,
		Kind:       models.LoginToken,
		ClientType: found.User.ClientType,
		Scope:      found.User.Role.Scope(),
		Lifetime:   a.lifetime(a.options.TokenTTL),
		UserAgent:  c.UserAgent,
		Address:    c.Address,
	}
}

// lifetime is a duration that Options.check has let through, in seconds.
func (a *Authority) lifetime(d time.Duration) int64 {
	seconds, _ := Lifetime(d)
	return seconds
}

// Renew issues a new token in the place of the valid one that the caller holds, which works for
// Overlap longer. The new one has a full lifetime again, but no more than a session may last.
// Errors: wire.ErrTokenInvalid when the old one has ended, ErrLoginTokenRequired.
func (a *Authority) Renew(ctx context.Context, from Identity, c Client) (Issued, error) {
	return a.issueFrom(ctx, from, Overlap, c)
}

// IssueLike is Renew that leaves the old token as it is.
func (a *Authority) IssueLike(ctx context.Context, from Identity, c Client) (Issued, error) {
	return a.issueFrom(ctx, from, 0, c)
}

func (a *Authority) issueFrom(
	ctx context.Context, from Identity, endAfter time.Duration, c Client,
) (Issued, error) {
	old, err := a.loginToken(ctx, from)
	if err != nil {
		return Issued{}, err
	}
	rest := time.Until(time.Unix(old.LoginAt, 0).Add(a.options.MaxSession))
	lifetime, err := Lifetime(min(rest, a.options.TokenTTL))
	if err != nil { // less than a second is left
		return Issued{}, wire.ErrTokenExpired
	}
	return a.issueBy(ctx, models.NewToken{
		UID: from.UID, From: from.TokenID, RevokeFromAfter: int64(endAfter / time.Second),
		Kind: models.LoginToken, ClientType: from.ClientType, Scope: from.Scope,
		Lifetime: lifetime, LoginAt: old.LoginAt, UserAgent: c.UserAgent, Address: c.Address})
}

// loginToken is what is remembered of a valid token of a login. Errors: wire.ErrTokenInvalid, ErrLoginTokenRequired.
func (a *Authority) loginToken(ctx context.Context, from Identity) (models.Token, error) {
	t, err := a.store.TokenByID(ctx, from.TokenID)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return models.Token{}, errRevoked
	case err == nil && t.Kind != models.LoginToken:
		return models.Token{}, ErrLoginTokenRequired
	}
	return t, err
}

// issueBy issues a token that another one asks for.
func (a *Authority) issueBy(ctx context.Context, n models.NewToken) (Issued, error) {
	issued, err := a.issue(ctx, n)
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, errRevoked
	}
	return issued, err
}

// ServiceRequest asks for a token for a program.
type ServiceRequest struct {
	Label    string
	Scope    string // name; "" is UserScope
	Lifetime int64  // seconds
	Client   Client
}

// IssueService issues a token for a program, on behalf of the valid token that the caller holds.
// It is given no more than that one has, and not for longer than Options.MaxTokenTTL. Errors:
// models.ValidationError, ErrLoginTokenRequired, wire.ErrTokenInvalid.
func (a *Authority) IssueService(
	ctx context.Context, from Identity, r ServiceRequest,
) (Issued, error) {
	n, err := a.newServiceToken(ctx, from, r)
	if err != nil {
		return Issued{}, err
	}
	return a.issueBy(ctx, n)
}

// CheckService reports what IssueService would reject, without issuing a token. Errors: those of
// IssueService.
func (a *Authority) CheckService(ctx context.Context, from Identity, r ServiceRequest) error {
	_, err := a.newServiceToken(ctx, from, r)
	return err
}

func (a *Authority) newServiceToken(
	ctx context.Context, from Identity, r ServiceRequest,
) (models.NewToken, error) {
	old, err := a.loginToken(ctx, from)
	if err != nil {
		return models.NewToken{}, err
	}
	v := models.ValidationError{}
	models.CheckLabel(v, r.Label)
	scope := a.checkScope(v, r.Scope, from.Scope)
	lifetime := a.checkLifetime(v, r.Lifetime)
	return models.NewToken{
		UID: from.UID, From: from.TokenID, Kind: models.ServiceToken, ClientType: from.ClientType,
		Scope: scope, Label: r.Label, Lifetime: lifetime, LoginAt: old.LoginAt,
		UserAgent: r.Client.UserAgent, Address: r.Client.Address}, v.Err()
}

// checkScope finds a scope by its name, within what most allows, or notes in v what is wrong.
func (a *Authority) checkScope(v models.ValidationError, name string, most models.Scope) models.Scope {
	if name == "" {
		return models.UserScope
	}
	scope, known := a.scopes.ByName(name)
	switch {
	case !known:
		v.Add("scope", "There is no such scope.")
	case !most.Includes(scope):
		v.Add("scope", "This is more than your own token may do.")
	}
	return scope
}

func (a *Authority) checkLifetime(v models.ValidationError, seconds int64) int64 {
	most := int64(a.options.MaxTokenTTL / time.Second)
	if seconds < 1 || seconds > most {
		v.Add("lifetime", fmt.Sprintf("This is a number of seconds from 1 to %d.", most))
		return 0
	}
	return a.lifetime(time.Duration(seconds) * time.Second)
}

// IssueRequest asks for a token without the account's secret.
type IssueRequest struct {
	Account string // or
	UID     uint32
	TTL     time.Duration // 0: as long as a login's, and renewable; else a service's
	Scope   string        // name; "" is what a login gives
	Label   string        // of a service's token; "" for one like a login's
	Client  Client
}

// owner finds the account that is asked for.
func (r IssueRequest) owner(ctx context.Context, s *models.Store) (models.Credentials, error) {
	if r.UID != 0 {
		return s.CredentialsByID(ctx, r.UID)
	}
	return s.Credentials(ctx, r.Account)
}

// IssueFor issues a token to an account without its secret, for whoever administers the data
// directory. Errors: models.ErrNotFound, models.ErrChanged for a disabled account, models.ValidationError.
func (a *Authority) IssueFor(ctx context.Context, r IssueRequest) (Issued, error) {
	found, err := r.owner(ctx, a.store)
	if err != nil {
		return Issued{}, err
	}
	n := a.newToken(found, r.Client)
	if r.TTL != 0 { // what is to end then must not be renewed, nor make others
		n.Kind = models.ServiceToken
		if n.Lifetime, err = Lifetime(r.TTL); err != nil {
			return Issued{}, err
		}
	}
	v := models.ValidationError{}
	if r.Scope != "" {
		n.Scope = a.checkScope(v, r.Scope, n.Scope)
	}
	if r.Label != "" {
		models.CheckLabel(v, r.Label)
		n.Kind, n.Label = models.ServiceToken, r.Label
	}
	if err := v.Err(); err != nil {
		return Issued{}, err
	}
	return a.issue(ctx, n)
}
