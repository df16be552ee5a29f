package handlers

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"latchkey/auth"
)

// TestForwardedHeaders: address and scheme are those of the connection, unless a trusted proxy
// forwards others.
func TestForwardedHeaders(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := []struct {
		name          string
		trusted       []netip.Prefix
		remote        string
		address, kind string
	}{
		{"no trusted proxy", nil, "127.0.0.1:1", "127.0.0.1", "http"},
		{"a stranger", trusted, "192.0.2.1:1", "192.0.2.1", "http"},
		{"loopback is not trusted by default", trusted, "127.0.0.1:1", "127.0.0.1", "http"},
		{"the proxy", trusted, "10.1.2.3:1", "203.0.113.9", "https"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, scheme := extractors(test.trusted)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.remote
			r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
			r.Header.Set("X-Forwarded-Proto", "https")
			if a, k := address(r), scheme(r); a != test.address || k != test.kind {
				t.Errorf("%s, %s, want %s, %s", a, k, test.address, test.kind)
			}
		})
	}
}

// TestUntrustedProxyWarning: the log warns once of a proxy on this machine that is not trusted.
func TestUntrustedProxyWarning(t *testing.T) {
	tests := map[string]struct {
		address, header string
		trusted         []netip.Prefix
		want            int
	}{
		"untrusted":     {"127.0.0.1:1", "10.0.0.1", nil, 1},
		"trusted":       {"127.0.0.1:1", "10.0.0.1", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 0},
		"no proxy":      {"127.0.0.1:1", "", nil, 0},
		"forged header": {"192.0.2.1:1", "10.0.0.1", nil, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := newHarness(t, auth.Options{}, func(c *Config) {
				c.TrustedProxies, c.Logger = test.trusted, slog.New(slog.NewTextHandler(&log, nil))
			})
			for range 3 {
				r := loginWays()["JSON"].request("ann@example.com", "secret1")
				if test.header != "" {
					r.Header.Set("X-Forwarded-For", test.header)
				}
				h.send(r, test.address)
			}
			if got := strings.Count(log.String(), "--trusted-proxy"); got != test.want {
				t.Errorf("%d warnings, want %d: %s", got, test.want, log.String())
			}
		})
	}
}
