package models

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// Scope is what a token may be used for; a token has exactly one.
type Scope uint8

// The scopes that are always there. Above them come those that the operator names.
const (
	AnyScope   Scope = 0 // required where any valid token will do; no token has it
	UserScope  Scope = 1
	AdminScope Scope = 2
	firstNamed Scope = 3
)

// Includes says whether a token of scope s may be used where scope want is required: AdminScope
// includes every other, UserScope those that the operator named, a named one itself alone.
func (s Scope) Includes(want Scope) bool {
	return s == want || want == AnyScope || s == AdminScope ||
		(s == UserScope && want >= firstNamed)
}

// Scopes are the names of the scopes, by number.
type Scopes map[Scope]string

// Name is a scope's name in the HTTP contract.
func (s Scopes) Name(scope Scope) string {
	if name, ok := s[scope]; ok {
		return name
	}
	return fmt.Sprintf("scope %d", scope)
}

// ByName finds a scope by its name.
func (s Scopes) ByName(name string) (Scope, bool) {
	for scope, known := range s {
		if known == name {
			return scope, true
		}
	}
	return 0, false
}

// scopeName is what an operator may call a scope.
var scopeName = regexp.MustCompile(`^[a-z][a-z0-9._:-]{0,31}$`)

// ErrScopeName refuses a name that cannot be a scope's.
var ErrScopeName = errors.New("a scope is named by a lower-case letter and up to 31 more of " +
	"a-z, 0-9, . _ : -")

// CheckScopeName checks the name of a scope. Errors: ErrScopeName.
func CheckScopeName(name string) error {
	if !scopeName.MatchString(name) {
		return fmt.Errorf("scope %q: %w", name, ErrScopeName)
	}
	return nil
}

// NameScopes gives each name a number, unless it has one, for ever. Errors: ErrScopeName.
func (s *Store) NameScopes(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := CheckScopeName(name); err != nil {
			return err
		}
	}
	scopes, err := s.Scopes(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, known := scopes.ByName(name); known {
			continue
		}
		if err := s.inTransaction(ctx, func(t transaction) error {
			if err := t.lock("key"); err != nil { // one name after the other
				return err
			}
			_, err := t.exec(`INSERT INTO scopes (number, name)
				SELECT COALESCE(MAX(number), $1) + 1, CAST($2 AS TEXT) FROM scopes WHERE true
				ON CONFLICT (name) DO NOTHING`, AdminScope, name)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// Scopes returns the names of every scope.
func (s *Store) Scopes(ctx context.Context) (Scopes, error) {
	scopes := Scopes{UserScope: "UserScope", AdminScope: "AdminScope"}
	err := s.all(ctx, "SELECT number, name FROM scopes", nil,
		func(scan func(...any) error) error {
			var number Scope
			var name string
			err := scan(&number, &name)
			scopes[number] = name
			return err
		})
	return scopes, err
}
