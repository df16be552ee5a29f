//go:build e2e || bench

package e2e_test

import (
	"os"
	"testing"
)

// startNginx starts nginx; http is the content of its http block.
func startNginx(tb testing.TB, address, dir, http string) *reverseProxy {
	tb.Helper()
	user := ""
	if os.Geteuid() == 0 { // so that the workers can write in the directory
		user = "user root root;\n"
	}
	config := write(tb, dir, "nginx.conf", user+`daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log notice;
events {}
http {
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
`+http+"}\n")
	out := daemon(tb, address, dir, "nginx", "-p", dir, "-c", config, "-e", "error.log")
	return &reverseProxy{"http://" + address, dir, out}
}

// nginx starts nginx with the configuration of its recipe.
func nginx(tb testing.TB, latchkey, behind string) *reverseProxy {
	tb.Helper()
	address, dir := freeAddress(tb), tb.TempDir()
	return startNginx(tb, address, dir,
		recipe(tb, "nginx", "http", "127.0.0.1:8080", bare(latchkey))+
			recipe(tb, "nginx", "service", "listen 80;", "listen "+address+";", "127.0.0.1:3000",
				bare(behind), "/var/log/nginx/", dir+"/")+
			recipe(tb, "nginx", "login", "listen 80;", "listen "+address+";", "/var/log/nginx/", dir+"/"))
}
