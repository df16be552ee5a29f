package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// Overlap is how long the old token stays valid after a renewal, for clients that share it.
const Overlap = 30 * time.Second

// ErrLoginTokenRequired rejects a service token for what only a login token may do: change
// accounts, roles, passwords and tokens.
var ErrLoginTokenRequired = errors.New("this requires a login token")

// issue stores and signs a token in one transaction. Errors: TokenLimitError for a service token.
func (a *Authority) issue(ctx context.Context, n models.NewToken) (Issued, error) {
	n.MaxLive, n.LimitReason = a.options.MaxTokens, a.reason("limit of tokens reached")
	for {
		var issued Issued
		_, revocations, err := a.store.CreateToken(ctx, n, func(t models.Token) (id int64, err error) {
			issued.Identity = Identity{UID: t.ID.UID, ClientType: t.ClientType, Scope: t.Scope,
				TokenID: t.ID, ExpiresAt: t.ExpiresAt}
			issued.Token, id, err = a.ring.encode(purposeToken, issued.Identity)
			return id, err
		})
		switch {
		case errors.Is(err, errTick): // does not happen twice in a row
		case errors.Is(err, models.ErrRetired): // by another process, since the last refresh
			if err := a.ring.reload(ctx); err != nil {
				return Issued{}, err
			}
		case errors.Is(err, models.ErrTokenLimit):
			return Issued{}, TokenLimitError{a.options.MaxTokens}
		case err != nil:
			return Issued{}, err
		default:
			a.addIssueRevocations(ctx, n, revocations)
			return issued, nil
		}
	}
}

// addIssueRevocations adds what a new token has revoked: its parent after a while, others at once.
func (a *Authority) addIssueRevocations(
	ctx context.Context, n models.NewToken, revocations []models.Revocation,
) {
	for _, r := range revocations {
		reason := n.LimitReason
		if r.EndsAt > 0 {
			reason = "renewed"
		}
		a.addRevocations(ctx, reason, r)
	}
}

// TokenLimitError says that a user has too many valid tokens to get another service token.
type TokenLimitError struct{ Limit int }

// Error says what to do, too.
func (e TokenLimitError) Error() string {
	return fmt.Sprintf("no place for another service token: of an account's at most %d valid tokens "+
		"one is kept for a login. Revoke a token that is no longer needed, then try again", e.Limit)
}

// newToken returns a login token for an account that was just read.
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

// lifetime converts a duration that was validated to seconds.
func (a *Authority) lifetime(d time.Duration) int64 {
	seconds, _ := Lifetime(d)
	return seconds
}

// Renew issues a new token for a valid one, which stays valid for Overlap. The new token has a full
// lifetime again, up to the end of the session. Errors: wire.ErrTokenInvalid if the old token was
// revoked, wire.ErrTokenExpired at the end of the session, ErrLoginTokenRequired.
func (a *Authority) Renew(ctx context.Context, from Identity, c Client) (Issued, error) {
	return a.issueFrom(ctx, from, Overlap, c)
}

// IssueLike issues a new token like Renew, but does not revoke the old one.
func (a *Authority) IssueLike(ctx context.Context, from Identity, c Client) (Issued, error) {
	return a.issueFrom(ctx, from, 0, c)
}

func (a *Authority) issueFrom(
	ctx context.Context, from Identity, revokeAfter time.Duration, c Client,
) (Issued, error) {
	old, err := a.loginToken(ctx, from)
	if err != nil {
		return Issued{}, err
	}
	left := time.Until(time.Unix(old.LoginAt, 0).Add(a.options.MaxSession))
	lifetime, err := Lifetime(min(left, a.options.TokenTTL))
	if err != nil { // less than a second
		return Issued{}, wire.ErrTokenExpired
	}
	return a.issueBy(ctx, models.NewToken{
		UID: from.UID, From: from.TokenID, RevokeFromAfter: int64(revokeAfter / time.Second),
		Kind: models.LoginToken, ClientType: from.ClientType, Scope: from.Scope,
		Lifetime: lifetime, LoginAt: old.LoginAt, UserAgent: c.UserAgent, Address: c.Address})
}

// CheckKind returns an error if a verified token is not of the kind, models.LoginToken or
// models.AnyKind. A token does not carry its kind, so models.LoginToken costs a query. An identity
// without a token is no login. Errors: wire.ErrTokenInvalid, ErrLoginTokenRequired, and the
// store's.
func (a *Authority) CheckKind(ctx context.Context, i Identity, kind models.Kind) error {
	if kind == models.AnyKind {
		return nil
	}
	if !i.HasToken() {
		return ErrLoginTokenRequired
	}
	_, err := a.loginToken(ctx, i)
	return err
}

// loginToken reads a valid login token from the store. Errors: wire.ErrTokenInvalid,
// ErrLoginTokenRequired, and the store's.
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

// issueBy issues a token on behalf of another one.
func (a *Authority) issueBy(ctx context.Context, n models.NewToken) (Issued, error) {
	issued, err := a.issue(ctx, n)
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, errRevoked
	}
	return issued, err
}

// ServiceRequest describes a service token: a labelled token for a program.
type ServiceRequest struct {
	Label    string
	Scope    string // name; "" means UserScope
	Lifetime int64  // seconds
	Client   Client
}

// IssueService issues a service token on behalf of a valid login token. Its scope is at most that
// of the login token, its lifetime at most Options.MaxTokenTTL. Errors: models.ValidationError,
// TokenLimitError, ErrLoginTokenRequired, wire.ErrTokenInvalid.
func (a *Authority) IssueService(
	ctx context.Context, from Identity, r ServiceRequest,
) (Issued, error) {
	n, err := a.newServiceToken(ctx, from, r)
	if err != nil {
		return Issued{}, err
	}
	return a.issueBy(ctx, n)
}

// CheckService returns the error that IssueService would, without issuing a token. It does not
// check Options.MaxTokens.
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

// checkScope returns the scope with a name. If it does not exist or maxScope does not include it,
// the problem is added to v.
func (a *Authority) checkScope(
	v models.ValidationError, name string, maxScope models.Scope,
) models.Scope {
	if name == "" {
		return models.UserScope
	}
	scope, known := a.scopes.ByName(name)
	switch {
	case !known:
		v.Add("scope", "This scope does not exist.")
	case !maxScope.Includes(scope):
		v.Add("scope", "Your own token does not include this scope.")
	}
	return scope
}

// checkLifetime returns a lifetime that a token can carry, or adds the problem to v.
func (a *Authority) checkLifetime(v models.ValidationError, seconds int64) int64 {
	maxSeconds := int64(a.options.MaxTokenTTL / time.Second)
	if seconds < 1 || seconds > maxSeconds {
		v.Add("lifetime", fmt.Sprintf("This must be a number of seconds from 1 to %d.", maxSeconds))
		return 0
	}
	return a.lifetime(time.Duration(seconds) * time.Second)
}

// IssueRequest describes a token that is issued without the user's password.
type IssueRequest struct {
	UID    uint32        // of the user
	TTL    time.Duration // 0: a login token, if Label is "" too; otherwise a service token
	Scope  string        // name; "" means the scope of a login
	Label  string        // of a service token
	Client Client
}

// IssueFor issues a token without the user's password, for the commands of the operator. Errors:
// models.ErrNotFound, models.ErrChanged for a disabled account, models.ValidationError,
// TokenLimitError.
func (a *Authority) IssueFor(ctx context.Context, r IssueRequest) (Issued, error) {
	found, err := a.store.CredentialsByID(ctx, r.UID)
	if err != nil {
		return Issued{}, err
	}
	n := a.newToken(found, r.Client)
	if r.TTL != 0 { // a service token, so it can be neither renewed nor used to issue tokens
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
