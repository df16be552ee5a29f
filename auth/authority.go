package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"latchkey/auth/strength"
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
	if err := options.check(); err != nil {
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
	Account, Password string
	ClientType        models.ClientType
	Client            Client
	Devices           []Device               // that the request shows
	Problems          models.ValidationError // what was wrong already when the input was read
}

func (l Login) origin() origin {
	return origin{networkOf(l.Client.Address), models.AccountKey(l.Account)}
}

// Login checks a secret and issues a token. It costs one hash whether or not the account exists.
// Errors: models.ValidationError, ErrClientType, ErrBusy, a *Refusal of ErrUnknownAccount, ErrWrongPassword
// (also for a disabled account) or ErrTooManyAttempts.
func (a *Authority) Login(ctx context.Context, l Login) (Issued, error) {
	if err := l.check(); err != nil {
		return Issued{}, err
	}
	found, err := a.credentials(ctx, l)
	if err != nil {
		return Issued{}, err
	}
	if err := a.checkPassword(ctx, l, found); err != nil {
		return Issued{}, err
	}
	if err := a.rehash(ctx, found, l); err != nil {
		return Issued{}, err
	}
	issued, err := a.issue(ctx, a.newToken(found, l.Client))
	if errors.Is(err, models.ErrChanged) {
		return Issued{}, ErrWrongPassword
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
	if l.Password == "" {
		v.Require("secret")
	}
	if len(l.Password) > MaxPassword {
		v.Add("secret", fmt.Sprintf(msgPasswordLong, MaxPassword))
	}
	return v.Err()
}

// checkClientType notes an unknown type in v and returns ErrClientType for a known one without a
// provider.
func checkClientType(v models.ValidationError, t models.ClientType) error {
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

// credentials reads the account of a login; those of an unknown one are empty.
func (a *Authority) credentials(ctx context.Context, l Login) (models.Credentials, error) {
	found, err := a.store.Credentials(ctx, l.Account)
	if errors.Is(err, models.ErrNotFound) || err == nil && found.User.ClientType != l.ClientType {
		return models.Credentials{}, nil
	}
	return found, err
}

// checkPassword makes a try at an account, after reserving it. Both waits are one.
func (a *Authority) checkPassword(ctx context.Context, l Login, found models.Credentials) error {
	patient, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	try, err := a.limiter.reserve(patient, a.limitKeys(l, found.User.ID))
	if err != nil {
		return err
	}
	defer try.release()
	right, err := a.hasher.verify(patient, l.origin(), l.Password, found.PasswordHash)
	if err != nil {
		return err
	}
	return try.decide(ctx, found, right)
}

// limitKeys is what a login tries at: a device that has logged in to the account before has an
// allowance of its own, so that no stranger can use it up.
func (a *Authority) limitKeys(l Login, uid uint32) []limitKey {
	for _, device := range l.Devices {
		if device.uid == uid && uid != 0 {
			return []limitKey{a.limiter.deviceKey(device)}
		}
	}
	return a.limiter.keysFor(l.Client.Address, l.Account)
}

// decide ends a try by the verdict on its secret. Errors: a *Refusal, and the store's.
func (t *reservation) decide(ctx context.Context, found models.Credentials, right bool) error {
	switch {
	case found.PasswordHash == "":
		return t.fail(ctx, ErrUnknownAccount)
	case !right || found.User.State != models.Active:
		return t.fail(ctx, ErrWrongPassword)
	}
	return t.succeed(ctx)
}

// rehash replaces a hash made with other parameters, unless the secret was changed meanwhile.
func (a *Authority) rehash(ctx context.Context, c models.Credentials, l Login) error {
	if !a.hasher.outdated(c.PasswordHash) {
		return nil
	}
	hash, err := a.hasher.hash(ctx, l.origin(), l.Password)
	if err != nil {
		return err
	}
	return a.store.ReplaceHash(ctx, c.User.ID, c.PasswordHash, hash)
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
