//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// logger is a program in front of a service that writes a log. start runs it, with the recommended format of
// docs/howto/proxies/logs.md or without.
type logger struct {
	name  string
	leaks bool // the user name, as it comes
	start func(t *testing.T, behind, log string, masked bool) (url string)
}

var loggers = []logger{
	{"nginx", true, func(t *testing.T, behind, log string, masked bool) string {
		lines := "access_log " + log + " combined;\n"
		if masked {
			lines = recipe(t, "logs", "nginx", "/var/log/nginx/access.log", log)
		}
		address := freeAddress(t)
		return startNginx(t, address, t.TempDir(),
			lines+"server { listen "+address+"; location / { proxy_pass "+behind+"; } }\n").URL
	}},
	{"gunicorn", true, func(t *testing.T, _, log string, masked bool) string {
		dir, address, format := t.TempDir(), freeAddress(t), ""
		if masked {
			format = recipe(t, "logs", "gunicorn")
		}
		write(t, dir, "app.py", "def app(environ, start):\n    start('200 OK', [])\n    return [b'behind']\n")
		config := write(t, dir, "gunicorn.conf.py", format+"\n")
		daemon(t, address, dir, "gunicorn", "-c", config, "-b", address, "--access-logfile", log, "--worker-tmp-dir", dir,
			"app:app")
		return "http://" + address
	}},
	{"morgan", true, func(t *testing.T, _, log string, masked bool) string {
		address, format := freeAddress(t), "const withoutToken = 'combined';\n"
		if masked {
			format = recipe(t, "logs", "morgan")
		}
		modules, err := filepath.Abs("node_modules")
		must(t, err)
		host, port, _ := strings.Cut(address, ":")
		script := write(t, t.TempDir(), "app.js", `const morgan = require("`+modules+`/morgan");`+"\n"+format+`
			const log = morgan(withoutToken, { stream: require("fs").createWriteStream("`+log+`", { flags: "a" }) });
			require("http").createServer((q, r) => log(q, r, () => r.end("behind"))).listen(`+port+`, "`+host+`");`)
		daemon(t, address, t.TempDir(), "node", script)
		return "http://" + address
	}},
	{"varnishncsa", true, func(t *testing.T, behind, log string, masked bool) string {
		address, dir := freeAddress(t), t.TempDir()
		daemon(t, address, dir, "varnishd", "-F", "-n", dir, "-a", address, "-b", bare(behind), "-s", "malloc,16m", "-j",
			"none")
		line := "varnishncsa"
		if masked {
			line = strings.TrimSpace(recipe(t, "logs", "varnishncsa"))
		}
		background(t, dir, "/bin/sh", "-c", "exec "+line+" -n "+dir+" -a -w "+log)
		await(t, "varnishncsa to write", func() bool {
			request(t, "GET", "http://"+address+"/", "")
			info, err := os.Stat(log)
			return err == nil && info.Size() > 0
		})
		return "http://" + address
	}},
	{"apache", false, func(t *testing.T, behind, log string, masked bool) string {
		dir, address := t.TempDir(), freeAddress(t)
		format := `LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined` +
			"\nCustomLog " + log + " combined\n"
		if masked {
			format = recipe(t, "logs", "apache", "/var/log/apache2/access.log", log)
		}
		var modules strings.Builder
		for _, name := range []string{"mpm_event", "proxy", "proxy_http", "authz_core"} {
			modules.WriteString("LoadModule " + name + "_module /usr/lib/apache2/modules/mod_" + name + ".so\n")
		}
		config := write(t, dir, "apache.conf",
			modules.String()+"ServerName x\nListen "+address+"\nPidFile "+dir+"/pid\nErrorLog "+
				log+"\nDefaultRuntimeDir "+dir+"\nUser www-data\nGroup www-data\n"+format+"ProxyPass / "+behind+"/\n")
		daemon(t, address, dir, "apache2", "-D", "FOREGROUND", "-f", config)
		return "http://" + address
	}},
	{"caddy", false, func(t *testing.T, behind, log string, _ bool) string {
		address, dir := freeAddress(t), t.TempDir()
		config := write(t, dir, "Caddyfile", "{\n\tadmin off\n}\nhttp://"+address+" {\n\tlog {\n\t\toutput file "+log+
			"\n\t}\n\treverse_proxy "+bare(behind)+"\n}\n")
		daemon(t, address, dir, "env", "HOME="+dir, "caddy", "run", "--config", config, "--adapter", "caddyfile")
		return "http://" + address
	}},
	{"lighttpd", false, func(t *testing.T, behind, log string, _ bool) string {
		address, dir := freeAddress(t), t.TempDir()
		host, port, _ := strings.Cut(address, ":")
		backend, backendPort, _ := strings.Cut(bare(behind), ":")
		config := write(t, dir, "lighttpd.conf", `server.modules = ("mod_proxy", "mod_accesslog")
			server.document-root = "`+dir+`"
			server.bind = "`+host+`"
			server.port = `+port+`
			accesslog.filename = "`+log+`"
			proxy.server = ("" => (("host" => "`+backend+`", "port" => `+backendPort+`)))`)
		daemon(t, address, dir, "lighttpd", "-D", "-f", config)
		return "http://" + address
	}},
	{"haproxy", false, func(t *testing.T, behind, log string, _ bool) string {
		address, dir := freeAddress(t), t.TempDir()
		config := write(t, dir, "haproxy.cfg",
			"global\n\tlog stdout format raw local0\ndefaults\n\tmode http\n\toption httplog\n\tlog global\n"+
				"\ttimeout connect 5s\n\ttimeout client 5s\n\ttimeout server 5s\nfrontend f\n\tbind "+
				address+"\n\tdefault_backend b\nbackend b\n\tserver s "+
				bare(behind)+"\n")
		daemon(t, address, dir, "/bin/sh", "-c", "exec haproxy -f "+config+" >"+log)
		return "http://" + address
	}},
}

// examine runs the leak check and returns which slots leak and the remedy. It waits as long as a busy machine needs.
func examine(t *testing.T, url, log string) (leaks []string, remedy string) {
	t.Helper()
	out, errOut, code := newPerson(t).latchkey("", "doctor", "--url", url+"/x", "--log", log, "--json",
		"--wait", "1m")
	var report struct {
		Remedy string
		Leak   bool
		Slots  []struct {
			Slot, Line string
			Leak       bool
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Slots) != 4 || report.Leak != (code == 1) {
		t.Fatalf("exit %d: %v: %s%s", code, err, out, errOut)
	}
	for _, slot := range report.Slots {
		if slot.Leak {
			leaks = append(leaks, slot.Slot)
		}
	}
	return leaks, report.Remedy
}

// TestDoctor compares what docs/howto/proxies/logs.md says of each program with what the leak check
// finds, with the program's default log format and with the recommended one.
func TestDoctor(t *testing.T) {
	t.Parallel()
	behind := newService(t)
	for _, l := range loggers {
		t.Run(l.name, func(t *testing.T) {
			for _, masked := range []bool{false, true} {
				log := filepath.Join(t.TempDir(), "access.log")
				must(t, os.WriteFile(log, nil, 0o666))
				must(t, os.Chmod(log, 0o666))
				url := l.start(t, behind.URL, log, masked)
				leaks, remedy := examine(t, url, log)
				want := ""
				if l.leaks && !masked {
					want = "user name"
				}
				if got := strings.Join(leaks, ","); got != want {
					t.Errorf("masked %v: leaks by %q, want %q", masked, got, want)
				}
				if want != "" && !strings.Contains(remedy, strings.TrimSpace(recipe(t, "logs", l.name))) {
					t.Errorf("the remedy does not show the lines: %s", remedy)
				}
			}
		})
	}
}

// TestDoctorCannotTell: if a log does not show the requests, the leak check says so and not that nothing leaks.
func TestDoctorCannotTell(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	log := write(t, p.home, "other.log", "something\n")
	if got := p.fails("", "doctor", "--url", newService(t).URL, "--log", log, "--wait", "200ms"); !strings.Contains(got,
		"does not show the requests") {
		t.Error(got)
	}
	if got := p.fails("", "doctor", "--url", newService(t).URL, "--log", log+".none"); !strings.Contains(got,
		"no such file") {
		t.Error(got)
	}
}
