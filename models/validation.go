package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

// CheckNickname notes in v what is wrong with a nickname.
func CheckNickname(v ValidationError, nickname string) {
	n := utf8.RuneCountInString(nickname)
	switch {
	case nickname == "":
		v.Require("nickname")
	case n < MinNickname || n > MaxNickname:
		v.Add("nickname", fmt.Sprintf(
			"Field must be between %d and %d characters long.", MinNickname, MaxNickname))
	case !isPrintable(nickname) || strings.TrimSpace(nickname) == "":
		v.Add("nickname", msgText)
	}
}

// CheckLabel notes in v what is wrong with the label of a token.
func CheckLabel(v ValidationError, label string) {
	switch {
	case strings.TrimSpace(label) == "":
		v.Require("label")
	case utf8.RuneCountInString(label) > MaxLabel:
		v.Add("label", fmt.Sprintf("Field cannot be longer than %d characters.", MaxLabel))
	case !isPrintable(label):
		v.Add("label", msgText)
	}
}

// IsText says whether a database can be asked for a text: PostgreSQL knows no NUL.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// isPrintable refuses what is no text: broken UTF-8, controls, format characters such as direction
// overrides.
func isPrintable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return false
		}
	}
	return true
}
