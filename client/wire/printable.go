package wire

import (
	"strings"
	"unicode"
)

// Printable replaces all that is not a visible character or a space, such as control characters
// (C0 and C1), bidirectional overrides and broken UTF-8. A terminal would obey them, and a server
// could use them to change or hide what it shows.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)
}
