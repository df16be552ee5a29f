//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
)

// TestNginxLocations: the recipe's inner location is for nginx alone, and a location that takes large bodies takes
// them.
func TestNginxLocations(t *testing.T) {
	p := invite(t)
	address, dir := freeAddress(t), t.TempDir()
	p.door = startNginx(t, address, dir, recipe(t, "nginx", "http", "127.0.0.1:8080", bare(p.latchkey.URL))+
		recipe(t, "nginx", "service", "listen 80;", "listen "+address+";", "127.0.0.1:3000", bare(p.behind.URL),
			"/var/log/nginx/", dir+"/", "location / {", "location / { client_max_body_size 8m;"))
	for _, path := range []string{"/_latchkey/", "/_latchkey/scope=AdminScope", "/%5flatchkey/"} {
		for _, headers := range [][]string{nil, {bearer(p.token)}} {
			if got := p.door.through(t, "GET", path, "", headers...); got.Status != 404 {
				t.Errorf("%s: %d %s", path, got.Status, got.Body)
			}
		}
	}
	large := strings.Repeat("x", 5<<20)
	p.passes(t, "POST", "/large", large, bearer(p.token))
	if got := p.door.through(t, "POST", "/large", large, bearer(tamper(p.token))); got.Status != 401 {
		t.Errorf("a large body without a token: %d %s", got.Status, got.Body)
	}
}
