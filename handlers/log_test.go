package handlers

import (
	"log/slog"
	"strings"
	"testing"

	"latchkey/auth"
)

// TestLogContainsNoSecret: the log contains no token from a mistyped path of any length, and
// nothing from a malformed form.
func TestLogContainsNoSecret(t *testing.T) {
	h := newHarness(t, auth.Options{})
	var log strings.Builder
	h.server.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	for pad := range 300 {
		h.ask("GET", "/a/"+strings.Repeat("a/", pad)+h.admin, "")
	}
	h.ask("POST", "/login", "secret=pa%zzword", "Content-Type: application/x-www-form-urlencoded")
	for _, secret := range []string{h.admin[:20], "%zz", "zzword"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestMaskTokens(t *testing.T) {
	token := strings.Repeat("aB3-", 14)
	if got := maskTokens("/v1/" + token + "/x"); got != "/v1/[token]/x" {
		t.Errorf("%q", got)
	}
}
