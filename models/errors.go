package models

import "errors"

// Results of Store methods other than success. Compare them with errors.Is.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrAccountTaken says that the canonical account is already registered.
	ErrAccountTaken = errors.New("account is already registered")
	// ErrChanged says that the account was changed, disabled or deleted since it was read, or that
	// the signing keys were changed.
	ErrChanged = errors.New("the account or the keys were changed at the same time: try again")
	// ErrSetupDone says that an administrator exists, so the first one cannot be created again.
	ErrSetupDone = errors.New("an administrator already exists")
	// ErrSerialsExhausted says that one account was issued 4,096 tokens within one second.
	ErrSerialsExhausted = errors.New("too many tokens for one account in one second: try again")
	// ErrTokenLimit says that a user has too many live tokens to get another service token.
	ErrTokenLimit = errors.New("the account has too many tokens")
	// ErrClock says that the clock is behind the account's newest revoked token. A new token would
	// count as revoked.
	ErrClock = errors.New("the clock is behind the account's newest revoked token: " +
		"correct the system clock, then try again")
	// ErrRetired says that the key which signed a new token has been retired.
	ErrRetired = errors.New("the signing key was retired: try again")
	// ErrLastAdministrator says that the change would take away the last active administrator.
	ErrLastAdministrator = errors.New("this is the last active administrator")
	// ErrUnavailable says that the database cannot be used now.
	ErrUnavailable = errors.New("the database is unavailable")
)

// The faults that stop the start. They are returned wrapped, with the database's name.
var (
	ErrNoDatabase    = errors.New("there is no Latchkey database")
	ErrForeign       = errors.New("this is not a Latchkey database")
	ErrDamaged       = errors.New("the database is damaged")
	ErrNewerDatabase = errors.New("the database was written by a newer Latchkey")
	ErrAddress       = errors.New("invalid address of a PostgreSQL database")
	ErrSchema        = errors.New("the schema is not up to date: run latchkey migrate")
	ErrWeak          = errors.New("the server can lose acknowledged writes")
)

// The faults of a move. They are returned wrapped, with the database's name.
var (
	ErrMoved    = errors.New("this database was moved: use the one that it was moved to")
	ErrMoving   = errors.New("a move to this database is unfinished: run latchkey move again")
	ErrNotEmpty = errors.New("the database to move to is not empty")
	ErrNodes    = errors.New("nodes use the database to move from: stop them first, or wait until " +
		"one that crashed is no longer counted")
	ErrDiffers = errors.New("the copy differs from the database to move from: " +
		"start again with --again")
)
