package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// Options are the rules an Authority works by. The zero value of a field means its default.
type Options struct {
	TokenTTL  time.Duration // lifetime of a token from a login; default two hours
	Params    Params        // cost of hashing; default DefaultParams
	MinSecret int           // least characters of a new secret; default six
	Lag       time.Duration // longest time without reading the endings; default one minute
	Logger    *slog.Logger  // default: none
}

func (o Options) withDefaults() Options {
	if o.TokenTTL == 0 {
		o.TokenTTL = 2 * time.Hour
	}
	if o.Params == (Params{}) {
		o.Params = DefaultParams()
	}
	if o.MinSecret == 0 {
		o.MinSecret = 6
	}
	if o.Lag == 0 {
		o.Lag = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Authority registers accounts, logs them in, issues tokens and verifies them, over one store and
// one key ring. It is safe for concurrent use.
type Authority struct {
	store    *models.Store
	ring     *KeyRing
	hasher   *Hasher
	ended    *endedSet
	options  Options
	lifetime int64 // of a token from a login, in seconds

	started  time.Time    // what lastRead counts from
	lastRead atomic.Int64 // when the endings were last read, as a time.Duration since started
	seq      int64        // of the newest ending read; Follow's alone
}

// NewAuthority loads the ended tokens and is then ready to verify. Errors: those of the options
// and of the store.
func NewAuthority(
	ctx context.Context, store *models.Store, ring *KeyRing, options Options,
) (*Authority, error) {
	options = options.withDefaults()
	hasher, err := NewHasher(options.Params)
	if err != nil {
		return nil, err
	}
	lifetime, err := Lifetime(options.TokenTTL)
	if err != nil {
		return nil, err
	}
	a := &Authority{store: store, ring: ring, hasher: hasher, ended: newEndedSet(),
		options: options, lifetime: lifetime, started: time.Now()}
	return a, a.readEndings(ctx)
}

// Issued is a fresh token and who it speaks for.
type Issued struct {
	Token    string
	Identity Identity
}

// Client describes who a token is issued to, for the owner's list of tokens.
type Client struct {
	UserAgent, Address string
}

// Login is an attempt to log in.
type Login struct {
	Account, Secret string
	ClientType      models.ClientType
	Client          Client
	Problems        models.Invalid // what was wrong already when the input was read
}

// Login checks a secret and issues a token. It costs one hash whether or not the account exists.
// Errors: models.Invalid, ErrClientType, ErrUnknownAccount, ErrWrongSecret (also for a disabled
// account), ErrBusy.
func (a *Authority) Login(ctx context.Context, l Login) (Issued, error) {
	if err := l.check(); err != nil {
		return Issued{}, err
	}
	found, err := a.checkSecret(ctx, l)
	if err != nil {
		return Issued{}, err
	}
	if err := a.rehash(ctx, found, l.Secret); err != nil {
		return Issued{}, err
	}
	issued, err := a.issue(ctx, a.newToken(found, a.lifetime, l.Client))
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, ErrWrongSecret
	}
	return issued, err
}

func (l Login) check() error {
	v := l.Problems.Copy()
	if err := checkClientType(v, l.ClientType); err != nil {
		return err
	}
	if l.Account == "" {
		v.Require("account")
	}
	if l.Secret == "" {
		v.Require("secret")
	}
	if len(l.Secret) > MaxSecret {
		v.Add("secret", fmt.Sprintf(msgSecretLong, MaxSecret))
	}
	return v.Err()
}

// checkClientType notes an unknown type in v and returns ErrClientType for a known one without a
// provider.
func checkClientType(v models.Invalid, t models.ClientType) error {
	switch t {
	case models.EMail, models.Mobile:
		return nil
	case models.MiniProgram, models.OfficialAccount:
		return ErrClientType
	}
	if !v.Has("type") {
		v.Add("type", fmt.Sprintf("%d is not a valid ClientTypeEnum", t))
	}
	return nil
}

// checkSecret returns the active account of a login whose secret is right, after exactly one
// hash.
func (a *Authority) checkSecret(ctx context.Context, l Login) (models.Credentials, error) {
	found, err := a.store.Credentials(ctx, l.Account)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return models.Credentials{}, err
	}
	known := err == nil && found.User.ClientType == l.ClientType
	hash := found.SecretHash
	if !known {
		hash = ""
	}
	right, err := a.hasher.Verify(ctx, l.Secret, hash)
	switch {
	case err != nil:
		return models.Credentials{}, err
	case !known:
		return models.Credentials{}, ErrUnknownAccount
	case !right || found.User.State != models.Active:
		return models.Credentials{}, ErrWrongSecret
	}
	return found, nil
}

// rehash replaces a hash made with other parameters, unless the secret was changed meanwhile.
func (a *Authority) rehash(ctx context.Context, c models.Credentials, secret string) error {
	if !a.hasher.Outdated(c.SecretHash) {
		return nil
	}
	hash, err := a.hasher.Hash(ctx, secret)
	if err != nil {
		return err
	}
	return a.store.ReplaceHash(ctx, c.User.ID, c.SecretHash, hash)
}

// issue stores a token and signs it, both in one transaction.
func (a *Authority) issue(ctx context.Context, n models.NewToken) (Issued, error) {
	for {
		var issued Issued
		_, err := a.store.CreateToken(ctx, n, func(t models.Token) (err error) {
			issued.Identity = Identity{UID: t.ID.UID, ClientType: t.ClientType, Scope: t.Scope,
				TokenID: t.ID, ExpiresAt: t.ExpiresAt}
			issued.Token, err = a.ring.encode(purposeToken, issued.Identity)
			return err
		})
		if errors.Is(err, errTick) {
			continue // a new second has begun: at most once in a row
		}
		return issued, err
	}
}

// newToken is a token for an account that has just been read.
func (a *Authority) newToken(found models.Credentials, lifetime int64, c Client) models.NewToken {
	return models.NewToken{
		UID:        found.User.ID,
		Epoch:      found.Epoch,
		ClientType: found.User.ClientType,
		Scope:      found.User.Role.Scope(),
		Lifetime:   lifetime,
		UserAgent:  c.UserAgent,
		Address:    c.Address,
	}
}

// IssueLike issues one more token like the valid one that the caller holds, which stays as it is.
// Errors: ErrTokenInvalid when that one has ended.
func (a *Authority) IssueLike(ctx context.Context, from Identity, c Client) (Issued, error) {
	issued, err := a.issue(ctx, models.NewToken{
		UID: from.UID, From: from.TokenID, ClientType: from.ClientType, Scope: from.Scope,
		Lifetime: a.lifetime, UserAgent: c.UserAgent, Address: c.Address})
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, errEnded
	}
	return issued, err
}

// IssueFor issues a token to an account without its secret, for whoever administers the data
// directory. ttl 0 is the lifetime a login gives. Errors: models.ErrNotFound, models.ErrChanged
// for a disabled account.
func (a *Authority) IssueFor(
	ctx context.Context, account string, ttl time.Duration, c Client,
) (Issued, error) {
	lifetime := a.lifetime
	if ttl != 0 {
		var err error
		if lifetime, err = Lifetime(ttl); err != nil {
			return Issued{}, err
		}
	}
	found, err := a.store.Credentials(ctx, account)
	if err != nil {
		return Issued{}, err
	}
	return a.issue(ctx, a.newToken(found, lifetime, c))
}

// Verify says who a token speaks for. It does no I/O. Errors: ErrTokenInvalid, ErrTokenExpired,
// ErrStale.
func (a *Authority) Verify(token string) (Identity, error) {
	i, err := a.ring.authenticate(token)
	if err != nil {
		return Identity{}, err
	}
	if err := i.check(time.Now().Unix()); err != nil {
		return Identity{}, err
	}
	if a.ended.has(i.TokenID) {
		return Identity{}, errEnded
	}
	if err := a.Ready(); err != nil {
		return Identity{}, err
	}
	return i, nil
}

// Ready says whether the ended tokens are known well enough to accept a token. Errors: ErrStale.
func (a *Authority) Ready() error {
	if time.Since(a.started)-time.Duration(a.lastRead.Load()) > a.options.Lag {
		return ErrStale
	}
	return nil
}

// End ends one token: it is refused from the moment End returns. Ending an ended token is no
// error.
func (a *Authority) End(ctx context.Context, id models.TokenID, reason string) error {
	ending, err := a.store.EndToken(ctx, id, reason)
	if err == nil {
		a.ended.add(ending)
	}
	return err
}
