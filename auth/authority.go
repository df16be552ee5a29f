package auth

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"latchkey/client/wire"
	"latchkey/models"
)

// Options configure an Authority. The zero value of a field means its default.
type Options struct {
	TokenTTL    time.Duration // lifetime of a login token; default 2 hours
	MaxTokenTTL time.Duration // maximum lifetime of a service token; default 180 days
	MaxSession  time.Duration // how long after a login its token can be renewed; default 30 days
	MaxTokens   int           // limit of a user's live tokens; default 100
	Params      Params        // cost of hashing a password; default DefaultParams
	MinPassword int           // minimum length of a new password in characters; default 6
	Lag         time.Duration // maximum age of the revoked tokens in memory; default 1 minute
	KeyRotation time.Duration // how long a key signs; default 0: no automatic rotation
	Scopes      []string      // names of the operator's scopes, in addition to those built in
	// AccountAttempts is the number of failed logins per day that one account allows from one network
	// without a wait; default 10. NetworkAttempts is the number per hour that one network has for all
	// accounts; default 100.
	AccountAttempts, NetworkAttempts int
	// PasswordStrength is the minimum score of a new password, from 0 to MaxStrength; default 0: any.
	PasswordStrength int
	// CookieDomain is the domain whose hosts share the session cookie; default "": only one host.
	CookieDomain string
	// CommandLine says that an operator's command uses the Authority: reasons of revocations say so.
	CommandLine bool
	Logger      *slog.Logger // default: no log
}

// minTokens is the minimum of Options.MaxTokens: a login and a service token.
const minTokens = 2

func (o Options) withDefaults() Options {
	setDefault(&o.TokenTTL, 2*time.Hour)
	setDefault(&o.MaxTokenTTL, 180*24*time.Hour)
	setDefault(&o.MaxSession, 30*24*time.Hour)
	setDefault(&o.MaxTokens, 100)
	setDefault(&o.Lag, time.Minute)
	setDefault(&o.Params, DefaultParams())
	setDefault(&o.MinPassword, 6)
	setDefault(&o.AccountAttempts, 10)
	setDefault(&o.NetworkAttempts, 100)
	setDefault(&o.Logger, slog.New(slog.DiscardHandler))
	return o
}

func setDefault[T comparable](value *T, defaultValue T) {
	var zero T
	if *value == zero {
		*value = defaultValue
	}
}

// Validate checks the options without touching the store. The error says which value is out of
// range, and the range. Errors of scopes are models.ErrScopeName.
func (o Options) Validate() error {
	o = o.withDefaults()
	if err := o.Params.Check(); err != nil {
		return err
	}
	for _, name := range o.Scopes {
		if err := models.CheckScopeName(name); err != nil {
			return err
		}
	}
	for _, number := range []struct {
		name            string
		value, min, max int
	}{
		{"limit of tokens of an account", o.MaxTokens, minTokens, models.MaxLiveTokens},
		{"minimum length of a password", o.MinPassword, 1, MaxPassword},
		{"minimum strength of a password", o.PasswordStrength, 0, MaxStrength},
		{"number of failed logins to an account", o.AccountAttempts, 1, maxAttempts},
		{"number of failed logins from a network", o.NetworkAttempts, 1, maxAttempts},
	} {
		if number.value < number.min || number.value > number.max {
			return fmt.Errorf("the %s must be from %d to %d, not %d",
				number.name, number.min, number.max, number.value)
		}
	}
	return o.validateLifetimes()
}

func (o Options) validateLifetimes() error {
	for _, d := range []time.Duration{o.TokenTTL, o.MaxTokenTTL} {
		if _, err := Lifetime(d); err != nil {
			return err
		}
	}
	if o.TokenTTL > o.MaxSession {
		return fmt.Errorf("the lifetime of a login token must be at most that of a session, %s, not %s",
			o.MaxSession, o.TokenTTL)
	}
	return nil
}

// Authority manages accounts, logs users in, and issues, verifies and revokes tokens, over one
// store and one key ring. It is safe for concurrent use.
type Authority struct {
	store    *models.Store
	ring     *KeyRing
	hasher   *hasher
	limiter  *loginLimiter
	policy   passwordPolicy
	revoked  *revokedSet
	used     usage
	accounts accountCache
	scopes   models.Scopes
	options  Options

	follower    *follower    // belongs to Join and Run
	maintenance *maintenance // belongs to Run
}

// NewAuthority returns an Authority that has loaded the revoked tokens and can verify. Errors:
// those of the options, models.ErrDamaged, and the store's.
func NewAuthority(
	ctx context.Context, store *models.Store, ring *KeyRing, options Options,
) (*Authority, error) {
	options = options.withDefaults()
	if err := options.Validate(); err != nil {
		return nil, err
	}
	hasher, err := newHasher(options.Params)
	if err != nil {
		return nil, err
	}
	a := &Authority{store: store, ring: ring, hasher: hasher, revoked: newRevokedSet(),
		policy: newPasswordPolicy(options), options: options}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads from the store what an Authority keeps in memory.
func (a *Authority) load(ctx context.Context) error {
	if err := a.store.NameScopes(ctx, a.options.Scopes); err != nil {
		return err
	}
	var err error
	if a.scopes, err = a.store.Scopes(ctx); err != nil {
		return err
	}
	if a.limiter, err = loadLimiter(ctx, a.store, *a.ring.masterKey.Load(), a.options); err != nil {
		return err
	}
	if err := a.hasher.loadKinds(ctx, a.store); err != nil {
		return err
	}
	clock, err := loadStoreClock(ctx, a.store)
	if err != nil {
		return err
	}
	a.maintenance = &maintenance{store: a.store, ring: a.ring, revoked: a.revoked, used: &a.used,
		rotate: a.RotateKey, rotation: a.options.KeyRotation, log: a.options.Logger, clock: clock}
	a.follower = newFollower(a.store, a.ring, a.revoked, a.options)
	err = a.follower.load(ctx)
	debug.FreeOSMemory() // loading a million revoked tokens leaves as much garbage
	return err
}

// Join announces this process to the other nodes of a shared store before it verifies, so that no
// key signs that it does not know, and reads what is new. Run must follow. Errors: the store's.
func (a *Authority) Join(ctx context.Context) error { return a.follower.join(ctx) }

// Run keeps the revoked tokens and the keys up to date with the store, stores the last use of
// tokens, rotates the keys and deletes what has expired, until ctx is done. Then it stores what is
// left and leaves the shared store. It must be called only once.
func (a *Authority) Run(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() { a.maintenance.run(ctx) })
	a.follower.run(ctx)
	wait.Wait()
	ctx = context.WithoutCancel(ctx)
	a.maintenance.stop(ctx)
	logError(a.options.Logger, "cannot remove this node", a.follower.removeNode(ctx))
}

// RequiredScope returns the scope that a service requires by a name, or by wire.AnyScope. ok is
// false for any other name.
func (a *Authority) RequiredScope(name string) (scope models.Scope, ok bool) {
	switch name {
	case wire.AnyScope:
		return models.AnyScope, true
	case wire.UserScope: // the default, so without a search
		return models.UserScope, true
	}
	return a.scopes.ByName(name)
}

// ScopeName returns the name of a scope in the HTTP contract.
func (a *Authority) ScopeName(s models.Scope) string { return a.scopes.Name(s) }

// CookieDomain returns the domain whose hosts share the session cookie, or "".
func (a *Authority) CookieDomain() string { return a.options.CookieDomain }

// CookieName returns the name of the session cookie for https (secure) or plain http.
func (a *Authority) CookieName(secure bool) string {
	return wire.CookieName(secure, a.options.CookieDomain != "")
}

// Issued is a new token and its identity.
type Issued struct {
	Token    string
	Identity Identity
}

// Client describes the program that a token is issued to, for the user's list of tokens.
type Client struct {
	UserAgent, Address string
}

// Verify returns the identity of a valid token. It does no I/O. Errors: wire.ErrTokenInvalid,
// wire.ErrTokenExpired, ErrStale.
func (a *Authority) Verify(token string) (Identity, error) {
	i, err := a.ring.authenticate(token)
	if err != nil {
		return Identity{}, err
	}
	now := time.Now()
	if err := i.check(now.Unix()); err != nil {
		return Identity{}, rejectToken(i.TokenID, err)
	}
	if a.revoked.has(i.TokenID, now.Unix()) {
		return Identity{}, rejectToken(i.TokenID, errRevoked)
	}
	if err := a.readyAt(now); err != nil {
		return Identity{}, err
	}
	a.used.note(i.TokenID, now.Unix())
	return i, nil
}

// Ready returns nil if the revoked tokens in memory are recent enough to verify. Errors: ErrStale.
func (a *Authority) Ready() error { return a.readyAt(time.Now()) }

func (a *Authority) readyAt(now time.Time) error {
	if a.revoked.age(now) > a.options.Lag {
		return ErrStale
	}
	return nil
}
