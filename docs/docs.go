// Package docs holds the machine-readable description of the HTTP API, embedded in the binary.
package docs

import _ "embed"

// OpenAPI is the OpenAPI 3.1 document in JSON, served at /openapi.json.
//
//go:embed openapi.json
var OpenAPI []byte
