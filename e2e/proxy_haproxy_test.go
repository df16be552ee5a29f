//go:build e2e

package e2e_test

import "testing"

// haproxy runs the recipe in front of a service.
func haproxy(tb testing.TB, latchkey, behind string) *door {
	tb.Helper()
	return startHAProxy(tb, latchkey, behind)
}

// startHAProxy is haproxy with more swaps in the configuration.
func startHAProxy(tb testing.TB, latchkey, behind string, swap ...string) *door {
	tb.Helper()
	address, dir := freeAddress(tb), tb.TempDir()
	lua := write(tb, dir, "latchkey.lua", recipe(tb, "haproxy", "lua", "127.0.0.1:8080", bare(latchkey)))
	config := write(tb, dir, "haproxy.cfg", recipe(tb, "haproxy", "service", append(swap, "bind :80", "bind "+address,
		"127.0.0.1:8080", bare(latchkey), "127.0.0.1:3000", bare(behind), "/etc/haproxy/latchkey.lua", lua,
		"/dev/log", "stdout format raw")...))
	return &door{"http://" + address, dir, daemon(tb, address, dir, "haproxy", "-db", "-f", config)}
}

// TestHAProxyScope: the recipe's action asks for a scope when it is told to.
func TestHAProxyScope(t *testing.T) {
	p := invite(t)
	p.door, p.strict = startHAProxy(t, p.latchkey.URL, p.behind.URL,
		"lua.latchkey login=redirect", "lua.latchkey login=redirect&scope=AdminScope"), true
	p.refused(t, 403, "forbidden, not in scope", false, "GET", bearer(p.token))
	p.refused(t, 401, "token is invalid", true, "GET")
	admin := administrator(t, p.latchkey)
	if got := p.door.through(t, "GET", "/", "", bearer(admin)); got.Status != 200 {
		t.Errorf("an administrator: %d %s", got.Status, got.Body)
	}
}
