// Package static embeds the style sheet, the script and the icon of the pages, and the OpenAPI
// description of the API.
package static

import "embed"

// OpenAPI is the OpenAPI 3.1 description of the API in JSON, served at /openapi.json.
//
//go:embed openapi.json
var OpenAPI []byte

// Files are the assets by their base name; the server serves them below /static/.
//
//go:embed *.css *.js *.svg
var Files embed.FS
