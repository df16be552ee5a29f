package models

import "errors"

// The answers a Store gives beside success. They are compared with errors.Is.
var (
	// ErrNotFound says that no such row exists.
	ErrNotFound = errors.New("not found")
	// ErrAccountTaken says that the canonical account is registered already.
	ErrAccountTaken = errors.New("account is already registered")
	// ErrChanged says that the account changed, was disabled or was deleted since it was read.
	ErrChanged = errors.New("account changed meanwhile")
	// ErrSetupDone says that an administrator exists, so the first one cannot be made again.
	ErrSetupDone = errors.New("an administrator exists already")
	// ErrSerialsExhausted says that one account was given 4,096 tokens within one second.
	ErrSerialsExhausted = errors.New("too many tokens for one account in one second")
	// ErrClock says that the clock stands before the account's newest ended token.
	ErrClock = errors.New("the clock is behind the account's newest ended token")
	// ErrRetired says that the key which signed a new token was retired meanwhile.
	ErrRetired = errors.New("the signing key was retired")
	// ErrLastAdministrator refuses to take away the last active administrator.
	ErrLastAdministrator = errors.New("this is the last active administrator")
	// ErrUnavailable says that the database cannot be used at the moment.
	ErrUnavailable = errors.New("store unavailable")
)

// The faults of a database file that stop the start. Each is returned wrapped, with the path.
var (
	ErrNoDatabase    = errors.New("no Latchkey database")
	ErrForeign       = errors.New("not a Latchkey database")
	ErrDamaged       = errors.New("database is damaged")
	ErrNewerDatabase = errors.New("database was written by a newer Latchkey")
)

// The faults of a PostgreSQL database or its address that stop the start, each returned wrapped.
var (
	ErrAddress = errors.New("not an address of a PostgreSQL database")
	ErrSchema  = errors.New("the database is not set up for this program: run latchkey migrate")
	ErrWeak    = errors.New("the database does not keep what it acknowledges")
)

// The faults of a move. Each is returned wrapped.
var (
	ErrMoved    = errors.New("this database was moved: another is in its place")
	ErrMoving   = errors.New("a move to this database was not finished: run latchkey move again")
	ErrNotEmpty = errors.New("the database to move to is not empty")
	ErrNodes    = errors.New("servers have the database to move from: stop them first, " +
		"or wait until one that crashed counts no longer")
	ErrDiffers = errors.New("what was moved differs from what is there now: begin anew (--again)")
)
