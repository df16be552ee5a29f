// Package static holds the style sheet, the scripts and the icons of the pages, and the
// description of the API. They are embedded in the binary, so that no file is needed beside it and
// no CDN.
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
