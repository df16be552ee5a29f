package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/rivo/uniseg"

	"latchkey/client/wire"
)

// printJSON prints one JSON document on a line of its own. It escapes what a terminal would obey,
// which can only stand in a string.
func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var line strings.Builder
	for _, r := range string(text) {
		if unicode.IsGraphic(r) {
			line.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&line, `\u%04x`, unit)
		}
	}
	_, err = fmt.Fprintln(w, line.String())
	return err
}

// printable returns an error on one line, without what a terminal would obey.
func printable(err error) string {
	return wire.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}

// stamp formats Unix seconds as every command prints them.
func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// table prints rows in aligned columns. It counts terminal cells, so that wide characters (East
// Asian names, emoji) do not shift the columns.
type table struct{ rows [][]string }

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = wire.Printable(fmt.Sprint(cell))
	}
	t.rows = append(t.rows, row)
}

// print writes the rows with two spaces between columns and none at the end of a line.
func (t *table) print(w io.Writer) error {
	widths := map[int]int{}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+2))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// shellQuote quotes a text for a POSIX shell if it needs quotes.
func shellQuote(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/._-:@%+=,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') &&
			(r < 'a' || r > 'z')
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
