//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// apache starts Apache with the configuration of its recipe.
func apache(tb testing.TB, latchkey, behind string) *reverseProxy {
	tb.Helper()
	address, dir := freeAddress(tb), tb.TempDir()
	lua := write(tb, dir, "latchkey.lua", recipe(tb, "apache", "lua", "127.0.0.1:8080",
		bare(latchkey)))
	var modules strings.Builder
	for _, name := range []string{"mpm_event", "authz_core", "lua", "headers", "proxy", "proxy_http"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
	}
	config := write(tb, dir, "apache.conf", modules.String()+`ServerRoot `+dir+`
ServerName localhost
DefaultRuntimeDir `+dir+`
PidFile pid
ErrorLog error.log
Mutex file:`+dir+` default
Listen `+address+`
LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined
`+recipe(tb, "apache", "service", "*:80", address, "127.0.0.1:8080", bare(latchkey), "127.0.0.1:3000", bare(behind),
		"/etc/apache2/latchkey.lua", lua, "/var/log/apache2/", dir+"/"))
	return &reverseProxy{"http://" + address, dir, daemon(tb, address, dir, "apache2", "-X", "-f",
		config)}
}
