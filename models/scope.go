package models

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// Scope is what a token may be used for. Each token has one.
type Scope uint8

// The predefined scopes. The operator's own scopes have higher numbers.
const (
	AnyScope   Scope = 0 // requires only a valid token; no token has it
	UserScope  Scope = 1
	AdminScope Scope = 2
	firstNamed Scope = 3
)

// Includes reports whether a token of scope s may be used where want is required. AdminScope
// includes every other scope, UserScope the operator's, and one of the operator's only itself.
func (s Scope) Includes(want Scope) bool {
	return s == want || want == AnyScope || s == AdminScope ||
		(s == UserScope && want >= firstNamed)
}

// Scopes maps the scopes to their names.
type Scopes map[Scope]string

// Name returns a scope's name in the HTTP contract.
func (s Scopes) Name(scope Scope) string {
	if name, ok := s[scope]; ok {
		return name
	}
	return fmt.Sprintf("scope %d", scope)
}

// ByName returns the scope with a name.
func (s Scopes) ByName(name string) (scope Scope, ok bool) {
	for scope, known := range s {
		if known == name {
			return scope, true
		}
	}
	return 0, false
}

// scopeName matches the names that an operator may give to a scope.
var scopeName = regexp.MustCompile(`^[a-z][a-z0-9._:-]{0,31}$`)

// ErrScopeName says that a name cannot be a scope's.
var ErrScopeName = errors.New("the name of a scope is a lower-case letter and up to 31 more of " +
	"a-z, 0-9, . _ : -, but not \"any\"")

// CheckScopeName checks the name of a scope. "any" is reserved: services require it for AnyScope.
// Errors: ErrScopeName.
func CheckScopeName(name string) error {
	if name == "any" || !scopeName.MatchString(name) {
		return fmt.Errorf("scope %q: %w", name, ErrScopeName)
	}
	return nil
}

// NameScopes gives a number to each name that has none. A name keeps its number permanently.
// Errors: ErrScopeName.
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
		if err := s.inTransaction(ctx, func(t *transaction) error {
			return t.nameScope(name)
		}); err != nil {
			return err
		}
	}
	return nil
}

// nameScope gives the next number to a name.
func (t *transaction) nameScope(name string) error {
	if err := t.lock(keySequence); err != nil { // one name after the other
		return err
	}
	_, err := t.exec(`INSERT INTO scopes (number, name)
		SELECT COALESCE(MAX(number), $1) + 1, CAST($2 AS TEXT) FROM scopes WHERE true
		ON CONFLICT (name) DO NOTHING`, AdminScope, name)
	return err
}

// Scopes returns the names of all scopes.
func (s *Store) Scopes(ctx context.Context) (Scopes, error) {
	scopes := Scopes{UserScope: "UserScope", AdminScope: "AdminScope"}
	err := s.all(ctx, "SELECT number, name FROM scopes", nil, func(scan scanFunc) error {
		var number Scope
		var name string
		err := scan(&number, &name)
		scopes[number] = name
		return err
	})
	return scopes, err
}
