//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
)

// TestNginxLocations requests the recipe's internal location, which answers 404, and sends a large
// body to a location that accepts it.
func TestNginxLocations(t *testing.T) {
	t.Parallel()
	p := newProxyTest(t)
	address, dir := freeAddress(t), t.TempDir()
	p.proxy = startNginx(t, address, dir, recipe(t, "nginx", "http", "127.0.0.1:8080",
		bare(p.latchkey.URL))+
		recipe(t, "nginx", "service", "listen 80;", "listen "+address+";", "127.0.0.1:3000",
			bare(p.behind.URL),
			"/var/log/nginx/", dir+"/", "location / {", "location / { client_max_body_size 8m;"))
	for _, path := range []string{"/_latchkey/", "/_latchkey/scope=AdminScope", "/%5flatchkey/"} {
		for _, headers := range [][]string{nil, {bearer(p.token)}} {
			checkStatus(t, path, p.proxy.send(t, "GET", path, "", headers...), 404)
		}
	}
	large := strings.Repeat("x", 5<<20)
	p.passes(t, "POST", "/large", large, bearer(p.token))
	got := p.proxy.send(t, "POST", "/large", large, bearer(tamper(p.token)))
	checkStatus(t, "a large body with an invalid token", got, 401)
}
