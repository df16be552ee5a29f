//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// squid starts Squid with the configuration of its recipe.
func squid(t *testing.T, latchkey string) *reverseProxy {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // Squid gives up root's rights
	must(t, os.Chmod(dir, 0o777))
	helper := write(t, dir, "latchkey.py", recipe(t, "squid", "helper", "127.0.0.1:8080",
		bare(latchkey)))
	must(t, os.Chmod(helper, 0o644))
	config := write(t, dir, "squid.conf", recipe(t, "squid", "service", "http_port 3128",
		"http_port "+address,
		"/etc/squid/latchkey.py", helper, "/var/log/squid/", dir+"/")+`
visible_hostname localhost
pid_filename none
cache_log `+dir+`/cache.log
netdb_filename none
coredump_dir `+dir+`
pinger_enable off
shutdown_lifetime 0 seconds
`)
	return &reverseProxy{"http://" + address, dir, daemon(t, address, dir, "squid", "-N", "-f",
		config)}
}

// fetch requests a URL through Squid with curl and returns the status. credential is
// "user:password" or empty.
func (r *reverseProxy) fetch(t *testing.T, url, credential string) string {
	t.Helper()
	args := []string{"-s", "-o", "page", "-w", "%{http_code}", "--max-time", "180", "--noproxy", "",
		"-x", r.URL}
	if credential != "" {
		args = append(args, "-U", credential)
	}
	out, _ := execute(t, t.TempDir(), nil, "", "curl", append(args, url)...)
	return out
}

// TestSquid sends requests through Squid. It forwards only those with a valid token, and logs them
// under the token's account.
func TestSquid(t *testing.T) {
	t.Parallel()
	p := newProxyTest(t)
	p.proxy = squid(t, p.latchkey.URL)
	bob := account(t, p.latchkey, "bob@example.com")
	for name, test := range map[string]struct{ credential, want, account string }{
		"password":            {"anyname:" + p.token, "200", "ann@example.com"},
		"the same name again": {"anyname:" + bob, "200", "bob@example.com"},
		"user name":           {p.token + ":x", "200", "ann@example.com"},
		"no password":         {p.token + ":", "407", ""},
		"no credentials":      {"", "407", ""},
		"tampered password":   {"anyname:" + tamper(p.token), "407", ""},
		"tampered user name":  {tamper(p.token) + ":x", "407", ""},
		"lower case":          {strings.ToLower(p.token) + ":x", "407", ""},
		"expired":             {"anyname:" + p.expired, "407", ""},
		"account, password":   {"ann@example.com:secret1", "407", ""},
		"blanks and signs":    {"a b%20\"\\: " + p.token, "407", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if got := p.proxy.fetch(t, p.behind.URL+"/"+strings.ReplaceAll(name, " ", "-"),
					test.credential); got != test.want {
					t.Fatalf("status %s, want %s", got, test.want)
				}
			}
			requests, _ := p.behind.asked()
			if want := test.want == "200"; (len(requests) > 0) != want {
				t.Errorf("the service got %q, want a request: %v", requests, want)
			}
			for _, h := range p.behind.take() {
				if h.Get("Proxy-Authorization") != "" || h.Get("Authorization") != "" {
					t.Errorf("the service got a credential: %q", h)
				}
			}
			line := " " + test.account + " ["
			if test.account != "" && !strings.Contains(p.proxy.logged(t), line) {
				t.Errorf("the log does not contain %q: %s", line, p.proxy.logged(t))
			}
		})
	}
	p.behind.asked()
	p.checkSameName(t, bob)
	if log := p.proxy.logged(t); strings.Contains(log, p.token) ||
		strings.Contains(log, tamper(p.token)) {
		t.Errorf("the log contains a token: %s", log)
	}
	p.latchkey.kill()
	began := time.Now()
	if got := p.proxy.fetch(t, p.behind.URL+"/", "other:"+p.token); got == "200" {
		t.Error("without Latchkey: status 200, want an error")
	}
	requireWithin(t, "a response without Latchkey", time.Since(began), rejectedWithin)
}

// checkSameName sends requests of two users under one user name at once. The log shows the right
// account for each.
func (p *proxyTest) checkSameName(t *testing.T, bob string) {
	t.Helper()
	var wait sync.WaitGroup
	for range 20 {
		for path, token := range map[string]string{"/is-ann": p.token, "/is-bob": bob} {
			wait.Go(func() {
				if got := p.proxy.fetch(t, p.behind.URL+path, "both:"+token); got != "200" {
					t.Errorf("%s: status %s, want 200", path, got)
				}
			})
		}
	}
	wait.Wait()
	for line := range strings.SplitSeq(p.proxy.logged(t), "\n") {
		if strings.Contains(line, "/is-ann") && !strings.Contains(line, "ann@example.com") ||
			strings.Contains(line, "/is-bob") && !strings.Contains(line, "bob@example.com") {
			t.Errorf("logged under another account: %s", line)
		}
	}
}

// TestSquidFailsClosed runs Squid while Latchkey is absent, silent or answers with a wrong status.
// It forwards no request.
func TestSquidFailsClosed(t *testing.T) {
	t.Parallel()
	for name, latchkey := range map[string]string{"absent": "http://" + freeAddress(t),
		"silent": silent(t),
		"500":    respondsWith(t, 500), "503": respondsWith(t, 503),
		"302": respondsWith(t, 302), "200": respondsWith(t, 200)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behind := newService(t)
			proxy := squid(t, latchkey)
			began := time.Now()
			got := proxy.fetch(t, behind.URL+"/",
				"anyname:MTc5NTQ0OTQwNnxBQUFBQVJ3Z0FSQUF8fh6UWcNyzC80QV7HPTs17h0d")
			if requests, _ := behind.asked(); got == "200" || len(requests) > 0 {
				t.Errorf("status %s; the service got %q, want nothing", got, requests)
			}
			requireWithin(t, "a response without Latchkey", time.Since(began), rejectedWithin)
		})
	}
}
