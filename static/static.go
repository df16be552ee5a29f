// Package static holds the style sheet, the script and the icons of the pages, embedded in the
// binary: no file beside it and no CDN.
package static

import "embed"

// Files are the assets by their base name; the server serves them below /static/.
//
//go:embed *.css *.js *.svg
var Files embed.FS
