//go:build e2e

package e2e_test

import "testing"

// haproxy starts HAProxy with the configuration of its recipe.
func haproxy(tb testing.TB, latchkey, behind string) *reverseProxy {
	tb.Helper()
	return startHAProxy(tb, latchkey, behind)
}

// startHAProxy is haproxy with changes to the configuration; see recipe.
func startHAProxy(tb testing.TB, latchkey, behind string, swap ...string) *reverseProxy {
	tb.Helper()
	address, dir := freeAddress(tb), tb.TempDir()
	lua := write(tb, dir, "latchkey.lua", recipe(tb, "haproxy", "lua", "127.0.0.1:8080",
		bare(latchkey)))
	config := write(tb, dir, "haproxy.cfg", recipe(tb, "haproxy", "service", append(swap, "bind :80",
		"bind "+address,
		"127.0.0.1:8080", bare(latchkey), "127.0.0.1:3000", bare(behind), "/etc/haproxy/latchkey.lua", lua,
		"/dev/log", "stdout format raw")...))
	return &reverseProxy{"http://" + address, dir, daemon(tb, address, dir, "haproxy", "-db", "-f",
		config)}
}

// TestHAProxyScope adds a scope to the recipe's action. The scope is required.
func TestHAProxyScope(t *testing.T) {
	t.Parallel()
	p := newProxyTest(t)
	p.proxy, p.stripsUnknown = startHAProxy(t, p.latchkey.URL, p.behind.URL,
		"lua.latchkey login=redirect", "lua.latchkey login=redirect&scope=AdminScope"), true
	p.rejected(t, 403, "forbidden, not in scope", false, "GET", bearer(p.token))
	p.rejected(t, 401, "token is invalid", true, "GET")
	admin := administrator(t, p.latchkey)
	checkStatus(t, "an administrator", p.proxy.send(t, "GET", "/", "", bearer(admin)), 200)
}
