// Package credstore stores a user's logins on the user's own machine, so that existing clients
// always send a valid token: LogIn gets a token from a Latchkey server, LoginFor returns it for a
// host and renews it in time, and LogOut revokes it.
//
// All logins are in one file that only its owner can read. It holds tokens, never passwords. A lock
// file beside it keeps processes from overwriting each other's changes. A token is returned only
// for the hosts that were named at login.
package credstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

var (
	// ErrNoLogin means that no login covers a host.
	ErrNoLogin = errors.New("no login covers this host: run latchkey login URL --for HOST")
	// ErrLoginExpired means that the token of a login has expired or was revoked.
	ErrLoginExpired = errors.New("the login has expired or was revoked")
	// ErrFile means that the file of logins cannot be read or written.
	ErrFile = errors.New("cannot use the stored logins")
)

// Login is a token and where it may be sent.
type Login struct {
	URL      string   `json:"url"` // of the Latchkey server
	Account  string   `json:"account"`
	Token    string   `json:"token"`
	Hosts    []string `json:"hosts"`              // each host, host:port or *.domain
	Insecure bool     `json:"insecure,omitempty"` // allows plain http to other machines
	// ExpiresAt is in Unix seconds by this machine's clock, which may differ from the server's.
	ExpiresAt int64 `json:"expires_at"`
	Lifetime  int64 `json:"lifetime"` // of the token when it was issued, in seconds
	// TriedAt is when the token last could not be renewed, in Unix seconds; 0 means never.
	TriedAt int64 `json:"tried_at,omitempty"`
}

// String names the login without its token.
func (l Login) String() string { return l.Account + " at " + l.URL }

// remaining returns how long the token is still valid by this machine's clock.
func (l Login) remaining() time.Duration { return time.Until(time.Unix(l.ExpiresAt, 0)) }

// renewalRetry is how long LoginFor waits before it tries again to renew a token.
const renewalRetry = time.Minute

// isDue reports whether the token should be renewed now.
func (l Login) isDue() bool {
	return l.remaining() < time.Duration(l.Lifetime)*time.Second/2 &&
		time.Since(time.Unix(l.TriedAt, 0)).Abs() > renewalRetry
}

// expiredError is ErrLoginExpired with what to do next.
func (l Login) expiredError() error {
	return fmt.Errorf("%w: run latchkey login %s", ErrLoginExpired, l.URL)
}

// Store is a file of logins. Several goroutines and processes may use it at once.
type Store struct {
	path   string
	server server
}

// New returns the store in the file at path, which need not exist yet.
func New(path string) *Store { return &Store{path: path, server: newServer()} }

// DefaultPath returns where the logins are stored unless the user names another file:
// ~/.config/latchkey/tokens.json on Linux, or below $XDG_CONFIG_HOME if that is set;
// ~/Library/Application Support/latchkey/tokens.json on macOS, and
// %LocalAppData%\latchkey\tokens.json on Windows. The error says that the environment names no
// such directory.
func DefaultPath() (string, error) {
	dir, err := os.UserConfigDir()
	if runtime.GOOS == "windows" { // a roaming profile would copy %AppData% to other machines
		dir, err = os.UserCacheDir() // %LocalAppData%
	}
	return filepath.Join(dir, "latchkey", "tokens.json"), err
}

// Logins returns all logins, the newest first. Errors: ErrFile.
func (s *Store) Logins() ([]Login, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if err := checkPrivate(f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	var logins []Login
	if err := json.NewDecoder(f).Decode(&logins); err != nil {
		return nil, fmt.Errorf("%w: %s is damaged: remove it and log in again", ErrFile, s.path)
	}
	return logins, nil
}

// LogIn logs in to the server at l.URL with l.Account and the password, and stores the token for
// l.Hosts. It replaces an earlier login of the same account. Errors: ErrFile, a URL or host that
// makes no sense, and why the server cannot be reached or rejected the login.
func (s *Store) LogIn(ctx context.Context, l Login, password string) (Login, error) {
	if err := l.Normalize(); err != nil {
		return Login{}, err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return Login{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	err := s.change(ctx, func(logins []Login) []Login { // no token is made that cannot be stored
		return append([]Login{}, logins...)
	})
	if err != nil {
		return Login{}, err
	}
	l, err = s.server.logIn(ctx, l, password)
	if err != nil {
		return Login{}, err
	}
	return l, s.change(ctx, func(logins []Login) []Login {
		logins = slices.DeleteFunc(logins, func(old Login) bool {
			return old.URL == l.URL && old.Account == l.Account
		})
		return append([]Login{l}, logins...)
	})
}

// LogOut revokes the tokens of the logins at one server, or at all servers if url is "". It returns
// the logins that it has removed. It keeps a login whose token the server did not revoke; the error
// says why. Errors: ErrFile too.
func (s *Store) LogOut(ctx context.Context, url string) (removed []Login, err error) {
	var failed error
	err = s.change(ctx, func(logins []Login) []Login {
		return slices.DeleteFunc(logins, func(l Login) bool {
			if url != "" && !strings.EqualFold(l.URL, url) {
				return false
			}
			if err := s.server.revoke(ctx, l); err != nil {
				failed = errors.Join(failed, err)
				return false
			}
			removed = append(removed, l)
			return true
		})
	})
	return removed, errors.Join(failed, err)
}

// LoginFor returns the newest login that covers a target. It renews a token that has passed half of
// its lifetime; parallel callers renew it once. If the token cannot be renewed or stored now,
// LoginFor returns the present one while it is valid. Errors: ErrNoLogin, ErrLoginExpired, ErrFile.
func (s *Store) LoginFor(ctx context.Context, t Target) (Login, error) {
	unlock, err := s.lock(ctx)
	if ctx.Err() != nil {
		return Login{}, ctx.Err()
	}
	canStore := err == nil
	if canStore {
		defer unlock() //nolint:errcheck // the file is complete
	}
	logins, err := s.Logins()
	if err != nil {
		return Login{}, err
	}
	i := slices.IndexFunc(logins, func(l Login) bool { return l.covers(t) })
	if i < 0 {
		return Login{}, ErrNoLogin
	}
	if canStore && logins[i].isDue() && s.write(logins) == nil {
		if err := s.renew(ctx, logins, i); err != nil {
			return Login{}, err
		}
	}
	if logins[i].remaining() <= 0 {
		return Login{}, logins[i].expiredError()
	}
	return logins[i], nil
}

// renew replaces the token of logins[i] and stores the logins. If the server cannot renew it now,
// it stores when that was. An interrupt does not lose a token that the server has already sent.
// Errors: ErrLoginExpired, ErrFile.
func (s *Store) renew(ctx context.Context, logins []Login, i int) error {
	renewed, err := s.server.renew(context.WithoutCancel(ctx), logins[i])
	if errors.Is(err, ErrLoginExpired) {
		return logins[i].expiredError()
	}
	if err != nil {
		renewed = logins[i]
		renewed.TriedAt = time.Now().Unix()
	}
	logins[i] = renewed
	return s.write(logins)
}

// ForgetRejected removes the login with a token that its server rejects. It does nothing if the
// token is valid, the server cannot be reached, or no login has the token. Errors: ErrFile.
func (s *Store) ForgetRejected(ctx context.Context, token string) error {
	return s.change(ctx, func(logins []Login) []Login {
		i := slices.IndexFunc(logins, func(l Login) bool { return l.Token == token })
		if i < 0 || !s.server.rejects(ctx, logins[i]) {
			return nil
		}
		return slices.Delete(logins, i, i+1)
	})
}

// change stores what edit returns for the present logins, unless that is nil. No other process
// changes them meanwhile.
func (s *Store) change(ctx context.Context, edit func([]Login) []Login) error {
	unlock, err := s.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) && edit(nil) == nil { // no directory and nothing to store in it
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer unlock() //nolint:errcheck // the file is complete
	logins, err := s.Logins()
	if err != nil {
		return err
	}
	if logins = edit(logins); logins == nil {
		return nil
	}
	return s.write(logins)
}

func (s *Store) write(logins []Login) error {
	text, err := json.MarshalIndent(logins, "", "  ")
	if err != nil {
		return err
	}
	if err := WriteFile(s.path, append(text, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}

// lock waits until no other process changes the logins, and keeps others waiting until unlock.
func (s *Store) lock(ctx context.Context) (unlock func() error, err error) {
	lock := flock.New(s.path + ".lock")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}
