package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"latchkey/auth/strength"
	"latchkey/client/wire"
	"latchkey/models"
)

// Options are the rules an Authority works by. The zero value of a field means its default.
type Options struct {
	TokenTTL    time.Duration // lifetime of a token from a login; default two hours
	MaxTokenTTL time.Duration // longest lifetime of a service's token; default 180 days
	MaxSession  time.Duration // how long after a login renewals go on; default 30 days
	Params      Params        // cost of hashing; default DefaultParams
	MinPassword int           // least characters of a new secret; default six
	Lag         time.Duration // longest time without reading the endings; default one minute
	KeyRotation time.Duration // how long a key signs; zero: no rotation by itself
	Scopes      []string      // named by the operator, beside those that are there always
	// AccountAttempts is how many wrong tries a day at one account from one network cost nothing, and
	// NetworkAttempts how many an hour from one network; default 10 and 100.
	AccountAttempts, NetworkAttempts int
	// PasswordStrength is the least strength of a new secret, up to MaxStrength; zero: none refused.
	PasswordStrength int
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
	for number, usual := range map[*int]int{&o.MinPassword: 6, &o.AccountAttempts: 10,
		&o.NetworkAttempts: 100} {
		if *number == 0 {
			*number = usual
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate checks the options without touching the store. Errors say which value is out of range;
// those of scopes are models.ErrScopeName.
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
	hasher   *hasher
	limiter  *loginLimiter
	meter    *strength.Meter // nil: no strength is asked for
	revoked  *revokedSet
	used     usage
	accounts accountCache
	scopes   models.Scopes
	options  Options

	started       time.Time    // what lastRead counts from
	lastRead      atomic.Int64 // when the endings were last read, as a time.Duration since started
	seq           int64        // of the newest ending read; Follow's alone, as are the next three
	failing       bool         // the store could not be read the last time
	node          models.Node  // what this process is to others of a shared store
	lastHeartbeat time.Time    // when they were last told

	storeTime int64     // the store's own time when last let pass, in Unix seconds; tidy's alone
	passed    time.Time // when that was; tidy's, too
}

// NewAuthority loads the ended tokens and is then ready to verify. Errors: those of the options
// and of the store.
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
	meter, err := newMeter(options.PasswordStrength)
	if err != nil {
		return nil, err
	}
	if err := store.NameScopes(ctx, options.Scopes); err != nil {
		return nil, err
	}
	a := &Authority{store: store, ring: ring, hasher: hasher, meter: meter, revoked: newRevokedSet(),
		options: options, started: time.Now()}
	if a.scopes, err = store.Scopes(ctx); err != nil {
		return nil, err
	}
	a.limiter, err = loadLimiter(ctx, store, *ring.masterKey.Load(), options.AccountAttempts,
		options.NetworkAttempts)
	if err != nil {
		return nil, err
	}
	if a.storeTime, err = store.AdvanceClock(ctx, 0); err != nil {
		return nil, err
	}
	a.passed = a.started
	name, _ := os.Hostname() // for people
	a.node = models.Node{ID: rand.Text(), Name: name, Lag: int64(options.Lag / time.Second)}
	err = a.readAll(ctx)
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
	return wire.CookieName(secure, a.options.CookieDomain != "")
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

// Verify says who a token speaks for. It does no I/O. Errors: wire.ErrTokenInvalid, wire.ErrTokenExpired,
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
	if a.revoked.has(i.TokenID, now.Unix()) {
		return Identity{}, errRevoked
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
