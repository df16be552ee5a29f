// Package docs holds what of the documentation the binary itself shows.
package docs

import (
	_ "embed"
	"strings"
)

// OpenAPI is the OpenAPI 3.1 document in JSON, served at /openapi.json.
//
//go:embed openapi.json
var OpenAPI []byte

// Logs is the recipe that keeps tokens out of proxies' logs, in Markdown; Block finds its parts.
//
//go:embed recipes/logs.md
var Logs string

// Block is the text of a fenced block of a Markdown page: the one whose opening line says
// "```LANGUAGE NAME". ok is false if there is none.
func Block(page, name string) (text string, ok bool) {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(page) {
		switch fence := strings.HasPrefix(line, "```"); {
		case inside && fence:
			inside = false
		case inside:
			b.WriteString(line)
		case fence && strings.HasSuffix(strings.TrimSpace(line), " "+name):
			inside, ok = true, true
		}
	}
	return b.String(), ok
}
