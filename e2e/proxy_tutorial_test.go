//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTutorial runs every command of docs/tutorial.md in one shell, on free ports, with a password
// from standard input and with a wait for each server that it starts.
func TestTutorial(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/tutorial.md")
	must(t, err)
	block := regexp.MustCompile("(?ms)^```sh \\w+\n(.*?)^```$")
	var script strings.Builder
	script.WriteString("trap 'kill $(jobs -p) || :; " +
		"/usr/sbin/nginx -p $PWD -c nginx.conf -s stop || :' EXIT\n")
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		script.WriteString(found[1])
	}
	commands := script.String()
	const wait = "&\ncurl -s -o wait --retry 50 --retry-connrefused --retry-delay 1 http://"
	for _, swap := range [][2]string{
		{"make build\n", "cp " + binary + " .\n"},
		{"./latchkey user add", "echo 'correct horse battery' | ./latchkey user add --secret-stdin"},
		{"latchkey serve", "latchkey serve --addr 127.0.0.1:8080"},
		{"127.0.0.1/32 &", "127.0.0.1/32 " + wait + "127.0.0.1:8080"},
		{"service.py &", "service.py " + wait + "127.0.0.1:3000"},
	} {
		if !strings.Contains(commands, swap[0]) {
			t.Fatalf("tutorial.md has no %q", swap[0])
		}
		commands = strings.ReplaceAll(commands, swap[0], swap[1])
	}
	home, service := t.TempDir(), freeAddress(t)
	commands = strings.NewReplacer(
		"127.0.0.1:8080", freeAddress(t), "127.0.0.1:8000", freeAddress(t),
		"127.0.0.1:3000", service, `("127.0.0.1", 3000)`, `("127.0.0.1", `+portOf(t, service)+`)`,
	).Replace(commands)
	out, code := execute(t, t.TempDir(), []string{"HOME=" + home}, "", "bash", "-euc", commands)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	if left, _ := filepath.Glob(home + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, want := range []string{
		`{"auth":1,"email":"you@example.com","id":1,"nickname":"You"}`,
		`-Authenticate: Basic realm="latchkey", charset="UTF-8"`, // nginx writes Www
		"Hello, you@example.com\n",
		` - anyname [`,     // nginx's log
		`"label":"backup"`, // the token of the program, in the response and in the list
		`"msg":"ok","request":"DELETE /v1/token"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if refused := strings.Count(out, "HTTP/1.1 401 Unauthorized"); refused != 2 {
		t.Errorf("%d requests refused, want 2: without a token and with a revoked one", refused)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestReadmeGuard runs the five lines of README.md that guard a service, in Caddy.
func TestReadmeGuard(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../README.md")
	must(t, err)
	lines, ok := codeBlock(string(page), "guard")
	if !ok {
		t.Fatal("README.md has no block guard")
	}
	s, behind := start(t, t.TempDir(), cheapHashes...), newService(t)
	token := account(t, s, "ann@example.com")
	address, dir := freeAddress(t), t.TempDir()
	lines = strings.NewReplacer("127.0.0.1:8080", bare(s.URL),
		"127.0.0.1:3000", bare(behind.URL)).Replace(lines)
	config := write(t, dir, "Caddyfile", "{\n\tadmin off\n}\nhttp://"+address+"\n"+lines)
	daemon(t, address, dir, "env", "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		"caddy", "run", "--config", config, "--adapter", "caddyfile")

	behind.take()
	checkStatus(t, "no token", request(t, "GET", "http://"+address+"/", ""), 401)
	if got := behind.take(); len(got) > 0 {
		t.Errorf("reached the service without a token: %v", got)
	}
	request(t, "GET", "http://"+address+"/", "", basic("anyname", token), "X-Auth-Account: forged")
	got := behind.take()
	if len(got) != 1 || strings.Join(got[0].Values("X-Auth-Account"), ",") != "ann@example.com" {
		t.Errorf("the service received %v", got)
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	return port
}
