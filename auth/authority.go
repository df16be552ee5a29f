package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"latchkey/models"
)

// Options are the rules an Authority works by. The zero value of a field means its default.
type Options struct {
	TokenTTL    time.Duration // lifetime of a token from a login; default two hours
	MaxTokenTTL time.Duration // longest lifetime of a service's token; default 180 days
	MaxSession  time.Duration // how long after a login renewals go on; default 30 days
	Params      Params        // cost of hashing; default DefaultParams
	MinSecret   int           // least characters of a new secret; default six
	Lag         time.Duration // longest time without reading the endings; default one minute
	KeyRotation time.Duration // how long a key signs; zero: no rotation by itself
	Scopes      []string      // named by the operator, beside those that are there always
	// CookieDomain is the domain whose hosts share the session cookie; "": one host alone has it.
	CookieDomain string
	Logger       *slog.Logger // default: none
}

func (o Options) withDefaults() Options {
	fill := func(d *time.Duration, usual time.Duration) {
		if *d == 0 {
			*d = usual
		}
	}
	fill(&o.TokenTTL, 2*time.Hour)
	fill(&o.MaxTokenTTL, 180*24*time.Hour)
	fill(&o.MaxSession, 30*24*time.Hour)
	fill(&o.Lag, time.Minute)
	if o.Params == (Params{}) {
		o.Params = DefaultParams()
	}
	if o.MinSecret == 0 {
		o.MinSecret = 6
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) check() error {
	for _, d := range []time.Duration{o.TokenTTL, o.MaxTokenTTL} {
		if _, err := Lifetime(d); err != nil {
			return err
		}
	}
	if o.TokenTTL > o.MaxSession {
		return fmt.Errorf("a token's lifetime of %s is longer than the %s a session may last",
			o.TokenTTL, o.MaxSession)
	}
	return nil
}

// Authority registers accounts, logs them in, issues tokens and verifies them, over one store and
// one key ring. It is safe for concurrent use.
type Authority struct {
	store    *models.Store
	ring     *KeyRing
	hasher   *Hasher
	ended    *endedSet
	used     usage
	accounts accounts
	scopes   models.Scopes
	options  Options

	started  time.Time    // what lastRead counts from
	lastRead atomic.Int64 // when the endings were last read, as a time.Duration since started
	seq      int64        // of the newest ending read; Follow's alone, as are the next two

	storeTime int64     // the store's own time when it was last let pass, in Unix seconds
	passed    time.Time // when that was
}

// NewAuthority loads the ended tokens and is then ready to verify. Errors: those of the options
// and of the store.
func NewAuthority(
	ctx context.Context, store *models.Store, ring *KeyRing, options Options,
) (*Authority, error) {
	options = options.withDefaults()
	if err := options.check(); err != nil {
		return nil, err
	}
	hasher, err := NewHasher(options.Params)
	if err != nil {
		return nil, err
	}
	if err := store.NameScopes(ctx, options.Scopes); err != nil {
		return nil, err
	}
	a := &Authority{store: store, ring: ring, hasher: hasher, ended: newEndedSet(),
		options: options, started: time.Now()}
	if a.scopes, err = store.Scopes(ctx); err != nil {
		return nil, err
	}
	if a.storeTime, err = store.LetPass(ctx, 0); err != nil {
		return nil, err
	}
	a.passed = a.started
	err = a.catchUp(ctx)
	debug.FreeOSMemory() // reading a million ended tokens leaves as much garbage
	return a, err
}

// ScopeByName finds a scope by its name.
func (a *Authority) ScopeByName(name string) (models.Scope, bool) { return a.scopes.ByName(name) }

// ScopeName is a scope's name in the HTTP contract.
func (a *Authority) ScopeName(s models.Scope) string { return a.scopes.Name(s) }

// CookieDomain is the domain whose hosts share the session cookie, or "".
func (a *Authority) CookieDomain() string { return a.options.CookieDomain }

// CookieName is the name of the session cookie over https, or over plain http.
func (a *Authority) CookieName(secure bool) string {
	return CookieName(secure, a.options.CookieDomain != "")
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
	found, err := a.checkSecret(ctx, l, a.hasher.Verify)
	if err != nil {
		return Issued{}, err
	}
	if err := a.rehash(ctx, found, l.Secret); err != nil {
		return Issued{}, err
	}
	issued, err := a.issue(ctx, a.newToken(found, l.Client))
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
// hash, which verify takes.
func (a *Authority) checkSecret(ctx context.Context, l Login,
	verify func(ctx context.Context, secret, hash string) (bool, error),
) (models.Credentials, error) {
	found, err := a.store.Credentials(ctx, l.Account)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return models.Credentials{}, err
	}
	known := err == nil && found.User.ClientType == l.ClientType
	hash := found.SecretHash
	if !known {
		hash = ""
	}
	right, err := verify(ctx, l.Secret, hash)
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

// Verify says who a token speaks for. It does no I/O. Errors: ErrTokenInvalid, ErrTokenExpired,
// ErrStale.
func (a *Authority) Verify(token string) (Identity, error) {
	i, err := a.ring.authenticate(token)
	if err != nil {
		return Identity{}, err
	}
	now := time.Now()
	if err := i.check(now.Unix()); err != nil {
		return Identity{}, err
	}
	if a.ended.has(i.TokenID, now.Unix()) {
		return Identity{}, errEnded
	}
	if err := a.readyAt(now); err != nil {
		return Identity{}, err
	}
	a.used.note(i.TokenID, now.Unix())
	return i, nil
}

// Ready says whether the ended tokens are known well enough to accept a token. Errors: ErrStale.
func (a *Authority) Ready() error { return a.readyAt(time.Now()) }

func (a *Authority) readyAt(now time.Time) error {
	if now.Sub(a.started)-time.Duration(a.lastRead.Load()) > a.options.Lag {
		return ErrStale
	}
	return nil
}
