//go:build e2e

package e2e_test

import (
	"encoding/pem"
	"net/http/httptest"
)

// certificateOf writes a server's certificate to a file.
func certificateOf(c *call, door *httptest.Server) (path string) {
	block := &pem.Block{Type: "CERTIFICATE", Bytes: door.Certificate().Raw}
	return c.file("ca.pem", string(pem.EncodeToMemory(block)))
}
func versionControl() []httpClient  { return nil }
func packageManagers() []httpClient { return nil }
func storage() []httpClient         { return nil }
