// Package credstore keeps a person's logins on the person's own machine, so that existing clients
// always present a fresh token: one file, readable for its owner alone, under a lock. A token is
// given out for the hosts that were named at its login and for no other.
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
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

var (
	// ErrNoLogin says that no login is for a host.
	ErrNoLogin = errors.New("no login is for this host: run latchkey login URL --for HOST")
	// ErrEnded says that a login is over: its token has expired or was ended.
	ErrEnded = errors.New("the login is over")
	// ErrFile says that the file of logins cannot be used.
	ErrFile = errors.New("the file of logins cannot be used")
)

// Login is one token and where it may be presented.
type Login struct {
	URL      string   `json:"url"` // of the Latchkey server
	Account  string   `json:"account"`
	Token    string   `json:"token"`
	Hosts    []string `json:"hosts"`              // host, host:port, or *.domain
	Insecure bool     `json:"insecure,omitempty"` // plain http is allowed beyond this machine
	// ExpiresAt is Unix seconds by this machine's clock, which may differ from the server's.
	ExpiresAt int64 `json:"expires_at"`
	Lifetime  int64 `json:"lifetime"` // seconds, of the token when it was issued
	// TriedAt is Unix seconds: when the server last could not be asked to renew; 0 for never.
	TriedAt int64 `json:"tried_at,omitempty"`
}

// String names the login without giving the token away.
func (l Login) String() string { return l.Account + " at " + l.URL }

// remaining is how long the token still works by this machine's clock.
func (l Login) remaining() time.Duration { return time.Until(time.Unix(l.ExpiresAt, 0)) }

// Store is a file of logins. Several processes may use it at once.
type Store struct {
	path   string
	server server
}

// New is the wallet in a file, which need not exist yet.
func New(path string) *Store { return &Store{path: path, server: newServer()} }

// DefaultPath returns where the logins are stored unless the user names another file:
// ~/.config/latchkey/tokens.json on Linux, or below $XDG_CONFIG_HOME if that is set;
// ~/Library/Application Support/latchkey/tokens.json on macOS, and
// %LocalAppData%\latchkey\tokens.json on Windows. The error says that the environment names no
// such directory.
func DefaultPath() (string, error) {
	dir, err := os.UserConfigDir()
	if runtime.GOOS == "windows" { // a profile on a network would share %AppData%, and its logins
		dir, err = os.UserCacheDir() // %LocalAppData%
	}
	return filepath.Join(dir, "latchkey", "tokens.json"), err
}

// Logins returns all logins, the newest first. Errors: ErrFile.
func (w *Store) Logins() ([]Login, error) {
	f, err := os.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close() //nolint:errcheck // it was read only
	if err := checkPrivate(f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	var logins []Login
	if err := json.NewDecoder(f).Decode(&logins); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, w.path, err)
	}
	return logins, nil
}

// LogIn logs in at a server and keeps the token, for its hosts, in place of an earlier one of the
// same server and account. Errors: the server's refusal in words, ErrFile.
func (w *Store) LogIn(ctx context.Context, l Login, secret string) (Login, error) {
	if err := l.check(); err != nil {
		return Login{}, err
	}
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return Login{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	err := w.change(ctx, func(logins []Login) ([]Login, error) {
		return append([]Login{}, logins...), nil // before a token is made that cannot be kept
	})
	if err != nil {
		return Login{}, err
	}
	l, err = w.server.logIn(ctx, l, secret)
	if err != nil {
		return Login{}, err
	}
	return l, w.change(ctx, func(logins []Login) ([]Login, error) {
		logins = slices.DeleteFunc(logins, func(old Login) bool {
			return old.URL == l.URL && old.Account == l.Account
		})
		return append([]Login{l}, logins...), nil
	})
}

// LogOut ends the tokens of a server's logins, all servers' if url is "", and forgets them. A
// token that the server cannot be asked to end is kept, and the error says why.
func (w *Store) LogOut(ctx context.Context, url string) (ended []Login, err error) {
	var failed error
	err = w.change(ctx, func(logins []Login) ([]Login, error) {
		return slices.DeleteFunc(logins, func(l Login) bool {
			if url != "" && !strings.EqualFold(l.URL, url) {
				return false
			}
			if err := w.server.revoke(ctx, l); err != nil {
				failed = errors.Join(failed, err)
				return false
			}
			ended = append(ended, l)
			return true
		}), nil
	})
	return ended, errors.Join(failed, err)
}

// Fresh is the login for a place, its token renewed when half of its time is over. Parallel
// callers renew it once. Errors: ErrNoLogin, ErrEnded, ErrFile.
func (w *Store) Fresh(ctx context.Context, p Target) (Login, error) {
	var found Login
	err := w.change(ctx, func(logins []Login) (changed []Login, err error) {
		i, err := find(logins, p)
		if err != nil {
			return nil, err
		}
		if logins[i].isDue() && w.write(logins) == nil { // else a new token could not be kept
			if logins[i], err = w.renewed(ctx, logins[i]); err != nil {
				return nil, err
			}
			changed = logins
		}
		found = logins[i]
		return changed, nil
	})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) { // nothing can be kept here
		logins, err := w.Logins()
		if err != nil {
			return Login{}, err
		}
		i, err := find(logins, p)
		if err != nil {
			return Login{}, err
		}
		found = logins[i]
		return found, found.expiredError()
	}
	if err == nil {
		err = found.expiredError()
	}
	return found, err
}

// find is the newest login for a place.
func find(logins []Login, p Target) (int, error) {
	i := slices.IndexFunc(logins, func(l Login) bool { return l.isFor(p) })
	if i < 0 {
		return 0, ErrNoLogin
	}
	return i, nil
}

// retryAfter is how long a server that could not be asked is left alone.
const retryAfter = time.Minute

// isDue says whether the token should be renewed now.
func (l Login) isDue() bool {
	return l.remaining() < time.Duration(l.Lifetime)*time.Second/2 &&
		time.Since(time.Unix(l.TriedAt, 0)).Abs() > retryAfter
}

// expiredError is ErrEnded when the token works no longer, with what to do.
func (l Login) expiredError() error {
	if l.remaining() > 0 {
		return nil
	}
	return fmt.Errorf("%w: run latchkey login %s", ErrEnded, l.URL)
}

// renewed is the login with a new token or, when the server cannot be asked now, with a note of
// that. An interrupt does not come between the server's answer and the file.
func (w *Store) renewed(ctx context.Context, l Login) (Login, error) {
	renewed, err := w.server.renew(context.WithoutCancel(ctx), l)
	if errors.Is(err, ErrEnded) {
		return Login{}, fmt.Errorf("%w: run latchkey login %s", ErrEnded, l.URL)
	}
	if err == nil {
		return renewed, nil
	}
	l.TriedAt = time.Now().Unix()
	return l, nil
}

// Forget drops the login with a token that its server refuses. A token that still works, or is
// none of this wallet's, changes nothing.
func (w *Store) Forget(ctx context.Context, token string) error {
	return w.change(ctx, func(logins []Login) ([]Login, error) {
		i := slices.IndexFunc(logins, func(l Login) bool { return l.Token == token })
		if i < 0 || !w.server.refuses(ctx, logins[i]) {
			return nil, nil
		}
		return slices.Delete(logins, i, i+1), nil
	})
}

// change reads the logins and writes what edit makes of them, if that is not nil. Nobody else
// changes them meanwhile.
func (w *Store) change(ctx context.Context, edit func([]Login) ([]Login, error)) error {
	unlock, err := w.lock(ctx)
	if errors.Is(err, fs.ErrNotExist) { // not even a directory: there is no login
		_, err := edit(nil)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer unlock() //nolint:errcheck // nothing was written to it
	logins, err := w.Logins()
	if err != nil {
		return err
	}
	logins, err = edit(logins)
	if logins == nil || err != nil {
		return err
	}
	return w.write(logins)
}

func (w *Store) write(logins []Login) error {
	text, err := json.MarshalIndent(logins, "", "  ")
	if err != nil {
		return err
	}
	if err := WriteFile(w.path, append(text, '\n')); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}

// lock waits until no other process changes the logins, and keeps it so.
func (w *Store) lock(ctx context.Context) (unlock func() error, err error) {
	lock := flock.New(w.path + ".lock")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}
