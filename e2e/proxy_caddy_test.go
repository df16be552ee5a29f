//go:build e2e

package e2e_test

import (
	"net"
	"testing"
)

// caddy starts Caddy with the configuration of its recipe.
func caddy(tb testing.TB, latchkey, behind string) *reverseProxy {
	tb.Helper()
	address, dir := freeAddress(tb), tb.TempDir()
	_, port, err := net.SplitHostPort(address)
	must(tb, err)
	app := recipe(tb, "caddy", "service", "app.example.com {", "http://app.example.com:"+port+" {",
		"127.0.0.1:8080", bare(latchkey), "127.0.0.1:3000", bare(behind), "/var/log/caddy/", dir+"/")
	login := recipe(tb, "caddy", "login", "login.example.com {", "http://login.example.com:"+port+" {",
		"127.0.0.1:8080", bare(latchkey), "/var/log/caddy/", dir+"/")
	config := write(tb, dir, "Caddyfile", `{
	admin off
	auto_https off
	default_bind 127.0.0.1
}
`+app+login)
	out := daemon(tb, address, dir, "env", "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		"caddy", "run", "--config", config, "--adapter", "caddyfile")
	return &reverseProxy{"http://" + address, dir, out}
}
