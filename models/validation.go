package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidationError says what is wrong with the fields of an input: each field's name with one or
// more sentences.
type ValidationError map[string][]string

// Add adds a sentence about a field.
func (v ValidationError) Add(field, sentence string) { v[field] = append(v[field], sentence) }

// Has reports whether there is a sentence about a field.
func (v ValidationError) Has(field string) bool { return len(v[field]) > 0 }

// Require adds that a field is missing, unless there is a sentence about it.
func (v ValidationError) Require(field string) {
	if !v.Has(field) {
		v.Add(field, "This field is required.")
	}
}

// Err returns v, or nil if there is no sentence.
func (v ValidationError) Err() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// Error returns the sentences, sorted by field.
func (v ValidationError) Error() string {
	parts := make([]string, 0, len(v))
	for _, field := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, field+": "+strings.Join(v[field], " "))
	}
	return strings.Join(parts, "; ")
}

// Limits of other inputs, in characters (code points).
const (
	minNickname = 2
	maxNickname = 22
	maxLabel    = 64
)

const msgText = "This text holds characters that cannot be shown."

// CheckNickname adds to v why a nickname is not valid.
func CheckNickname(v ValidationError, nickname string) {
	n := utf8.RuneCountInString(nickname)
	switch {
	case nickname == "":
		v.Require("nickname")
	case n < minNickname || n > maxNickname:
		v.Add("nickname", fmt.Sprintf(
			"Field must be between %d and %d characters long.", minNickname, maxNickname))
	case !isPrintable(nickname) || strings.TrimSpace(nickname) == "":
		v.Add("nickname", msgText)
	}
}

// CheckLabel adds to v why the label of a token is not valid.
func CheckLabel(v ValidationError, label string) {
	switch {
	case strings.TrimSpace(label) == "":
		v.Require("label")
	case utf8.RuneCountInString(label) > maxLabel:
		v.Add("label", fmt.Sprintf("Field cannot be longer than %d characters.", maxLabel))
	case !isPrintable(label):
		v.Add("label", msgText)
	}
}

// IsText reports whether a database can store a text: PostgreSQL accepts neither invalid UTF-8 nor
// NUL.
func IsText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// isPrintable refuses invalid UTF-8, control characters and format characters, such as those that
// change the direction of text.
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
