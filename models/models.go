// Package models is what Latchkey stores and the rules of it: users, issued tokens, ended tokens,
// scopes and sealed signing keys, in SQLite through database/sql. It holds all SQL of the project
// and knows nothing of HTTP, of how a token is signed, or of how a secret is hashed.
//
// Times are whole Unix seconds, UTC, taken from the process's clock: no decision rests on the SQL
// clock.
//
// Every method of Store may return an error wrapping ErrUnavailable when the database cannot be
// used (locked, full, unreadable); the errors that are answers rather than faults are named in
// each method's comment.
package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

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

// ValidationError holds what is wrong with an input: field name to sentences. It is an error.
type ValidationError map[string][]string

// Add notes one sentence about a field.
func (v ValidationError) Add(field, sentence string) { v[field] = append(v[field], sentence) }

// Has says whether something was noted about a field already.
func (v ValidationError) Has(field string) bool { return len(v[field]) > 0 }

// Require notes that a field is missing, unless something else was noted about it already.
func (v ValidationError) Require(field string) {
	if !v.Has(field) {
		v.Add(field, "This field is required.")
	}
}

// Copy is an independent, non-nil copy.
func (v ValidationError) Copy() ValidationError {
	c := ValidationError{}
	maps.Copy(c, v)
	return c
}

// Err returns the error, or nil when nothing was noted.
func (v ValidationError) Err() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// Error lists the fields in alphabetical order.
func (v ValidationError) Error() string {
	parts := make([]string, 0, len(v))
	for _, field := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, field+": "+strings.Join(v[field], " "))
	}
	return strings.Join(parts, "; ")
}

// ClientType is how an account names itself; the numbers are the original service's.
type ClientType uint16

// The client types. Only EMail and Mobile log in with an account and a secret.
const (
	EMail           ClientType = 100
	Mobile          ClientType = 101
	MiniProgram     ClientType = 200
	OfficialAccount ClientType = 201
)

// String names the type in words.
func (t ClientType) String() string {
	switch t {
	case EMail:
		return "e-mail"
	case Mobile:
		return "mobile number"
	case MiniProgram:
		return "WeChat mini program"
	case OfficialAccount:
		return "WeChat official account"
	}
	return fmt.Sprintf("client type %d", uint16(t))
}

// Role is what a user may do. It decides the scope of the tokens issued to it.
type Role uint8

// The roles, numbered as the original's "auth" member.
const (
	RoleUser          Role = 1
	RoleAdministrator Role = 2
)

// String is the word the command line uses.
func (r Role) String() string {
	switch r {
	case RoleUser:
		return "user"
	case RoleAdministrator:
		return "admin"
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// Scope is the scope a token of this role carries.
func (r Role) Scope() Scope {
	if r == RoleAdministrator {
		return AdminScope
	}
	return UserScope
}

// State says whether an account may be used.
type State uint8

// The states of an account.
const (
	Active   State = 1
	Disabled State = 2
)

// String is the word the command line uses.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Disabled:
		return "disabled"
	}
	return fmt.Sprintf("state %d", uint8(s))
}
