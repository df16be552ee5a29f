//go:build bench

package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// BenchmarkBehindNginx compares requests through nginx with the configuration of the recipe,
// through nginx without authentication, and through nginx with a htpasswd file (bcrypt, cost 10),
// in turns. The service behind is nginx too, so that it is not the bottleneck.
func BenchmarkBehindNginx(b *testing.B) {
	s, header := benchServer(b, "--log-level", "warn")
	dir := b.TempDir()
	line, err := exec.Command("htpasswd", "-nbBC", "10", "ann", "secret1").Output()
	must(b, err)
	htpasswd := write(b, dir, "htpasswd", string(line))
	behind, guarded, alone, bcrypt := freeAddress(b), freeAddress(b), freeAddress(b), freeAddress(b)
	plain := func(address, more string) string {
		return "server { listen " + address + "; access_log access.log; " + more +
			" location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n"
	}
	startNginx(b, guarded, dir, recipe(b, "nginx", "http", "127.0.0.1:8080", bare(s.URL))+
		recipe(b, "nginx", "service", "listen 80;", "listen "+guarded+";", "/var/log/nginx/", dir+"/",
			"http://127.0.0.1:3000", "http://behind")+
		"upstream behind { server "+behind+"; keepalive 16; }\n"+
		"server { listen "+behind+"; access_log off; default_type application/json;"+
		" location / { return 200 '"+userJSON+"'; } }\n"+
		plain(alone, "")+plain(bcrypt, "auth_basic x; auth_basic_user_file "+htpasswd+";"))
	var toAlone, toBcrypt, here, there, slow []float64
	for range 9 {
		one, two := userRate(b, "http://"+alone, "", 8000), userRate(b, "http://"+guarded, header, 8000)
		three := userRate(b, "http://"+bcrypt, strings.TrimPrefix(basic("ann", "secret1"),
			"Authorization: "), 40)
		toAlone, toBcrypt = append(toAlone, two/one), append(toBcrypt, two/three)
		there, here, slow = append(there, one), append(here, two), append(slow, three)
	}
	b.ReportMetric(median(toAlone), "ratio-to-nginx-alone")
	b.ReportMetric(median(toBcrypt), "ratio-to-auth-basic-bcrypt")
	b.ReportMetric(median(here), "requests/s")
	b.ReportMetric(median(there), "nginx-alone-requests/s")
	b.ReportMetric(median(slow), "auth-basic-bcrypt-requests/s")
	b.ReportMetric(0, "ns/op")
}
