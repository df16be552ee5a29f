//go:build e2e

package e2e_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var update = flag.Bool("update", false, "write the table in docs/reference/clients.md")

// httpClient is one way in which a client sends Basic credentials.
type httpClient struct {
	name          string                     // as in docs/reference/clients.md
	version       []string                   // the command that prints its version
	behind        func(c *call) http.Handler // the service that it uses; nil for content
	tls           bool                       // it sends no credentials without TLS
	run           func(c *call) bool         // runs it and returns whether it reports success
	note          string                     // a footnote on the page
	expired       []string                   // what it prints with an expired token
	needsPassword bool                       // it sends no credentials with an empty password
}

// call is one run of a client.
type call struct {
	t              *testing.T
	dir            string // its home directory, empty at first
	url, host      string // the server: http://127.0.0.1:PORT and 127.0.0.1:PORT
	ca             string // with TLS, the file with the certificate to trust
	user, password string // both empty: no credentials
	env            []string
	daemon         string // the address of a client that is a server
	printed        strings.Builder
}

// matrix is what all runs share, with their results.
type matrix struct {
	server                  *server
	good, tampered, expired string
	stray                   *httptest.Server // the proxy for all addresses but 127.0.0.1; gets no request
	mu                      sync.Mutex
	versions                map[string]string
	rows                    map[string]row
}

// row is a row of docs/reference/clients.md; each cell is works, refused or no.
type row struct{ version, user, password, tampered, none string }

const (
	works   = "✅ works"
	refused = "✅ refused"
	no      = "❌ no"
)

const noEmptyPassword = "It sends no empty password. With any other, such as `x`, the token works as the user name."

// output lists words that a client prints.
func output(words ...string) []string { return words }

// TestClients runs every client with the token in either slot, with a tampered token and without
// credentials, and compares docs/reference/clients.md with the results.
func TestClients(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	clients := allClients()
	t.Run("all", func(t *testing.T) {
		for _, client := range clients {
			t.Run(client.name, func(t *testing.T) { t.Parallel(); m.runCases(t, client) })
		}
	})
	if t.Failed() || len(m.rows) < len(clients) {
		return // failed already, or -run chose some clients
	}
	m.comparePage(t, clients)
}

// allClients lists every client.
func allClients() []httpClient {
	return slices.Concat(curlAndWget(), otherDownloaders(), languages(), versionControl(),
		packageManagers(), buildTools(), storage())
}

// newMatrix starts a server and issues the tokens.
func newMatrix(t *testing.T) *matrix {
	m := &matrix{versions: map[string]string{}, rows: map[string]row{}}
	m.server = start(t, t.TempDir(), cheapHashes...)
	account(t, m.server, "ann@example.com")
	issue := func(ttl string) string {
		return mustRun(t, m.server.Dir, "", "token", "issue", "ann@example.com", "--ttl", ttl)
	}
	m.good, m.expired = issue("1h"), issue("1s")
	m.tampered = tamper(m.good)
	await(t, "a token to expire", func() bool { return statusOf(t, m.server, m.expired) == 401 })
	m.stray = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a client requested %s %s from another host", r.Method, r.RequestURI)
		http.Error(w, "no way out", http.StatusBadGateway)
	}))
	t.Cleanup(m.stray.Close)
	return m
}

// runCases runs a client's cases and stores its row.
func (m *matrix) runCases(t *testing.T, client httpClient) {
	found := row{version: m.versionOf(t, client.version)}
	if client.needsPassword {
		found.user = m.slot(t, client, "user name", no, m.good, "")
		m.slot(t, client, "user name and any password", works, m.good, "x")
	} else {
		found.user = m.slot(t, client, "user name", works, m.good, "")
	}
	found.password = m.slot(t, client, "password", works, "anyname", m.good)
	found.tampered = m.slot(t, client, "tampered", refused, "anyname", m.tampered)
	found.none = m.slot(t, client, "none", refused, "", "")
	if client.expired != nil {
		t.Run("expired", func(t *testing.T) { m.renew(t, client) })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[client.name] = found
}

// slot runs one case, whose result must be want. A rejected request must not reach the service, and
// the client must report the failure.
func (m *matrix) slot(
	t *testing.T, client httpClient, name, want, user, password string,
) (found string) {
	t.Run(name, func(t *testing.T) {
		c := &call{t: t, dir: t.TempDir(), user: user, password: password}
		arrived := m.serve(c, client)
		succeeds := client.run(c)
		if reached := arrived.Load(); succeeds != (want == works) || reached != succeeds {
			t.Errorf("reached the service: %v, reports success: %v, want %s; the client prints:\n%s",
				reached, succeeds, want, &c.printed)
			return
		}
		found = want
	})
	return found
}

// renew runs a client with an expired token, where it prints what its recipe says, and then with a
// valid one in the same place, which works at once.
func (m *matrix) renew(t *testing.T, client httpClient) {
	c := &call{t: t, dir: t.TempDir(), user: "anyname", password: m.expired}
	arrived := m.serve(c, client)
	if client.run(c) || arrived.Load() {
		t.Errorf("an expired token works; the client prints:\n%s", &c.printed)
	}
	for _, wanted := range client.expired {
		if !strings.Contains(c.printed.String(), wanted) {
			t.Errorf("with an expired token the client does not print %q but:\n%s", wanted, &c.printed)
		}
	}
	c.password = m.good
	if !client.run(c) || !arrived.Load() {
		t.Errorf("a new token does not work after an expired one; the client prints:\n%s", &c.printed)
	}
}

// serve starts the call's server, which lets only valid tokens through. arrived becomes true when a
// request reaches the service behind it.
func (m *matrix) serve(c *call, client httpClient) (arrived *atomic.Bool) {
	c.env = m.environment(c.dir)
	behind := http.Handler(http.HandlerFunc(content))
	if client.behind != nil {
		behind = client.behind(c)
	}
	arrived = &atomic.Bool{}
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Store(true)
		behind.ServeHTTP(w, r)
	})
	if client.tls {
		guard := httptest.NewTLSServer(verifyFirst(m.server, counted))
		c.t.Cleanup(guard.Close)
		c.url, c.ca = guard.URL, certificateOf(c, guard)
	} else {
		c.url = startGuarded(c.t, m.server, counted).URL
	}
	_, c.host, _ = strings.Cut(c.url, "://")
	return arrived
}

// environment returns an environment that sends requests for other hosts than 127.0.0.1 to the
// stray proxy.
func (m *matrix) environment(home string) []string {
	env := []string{"HOME=" + home, "TMPDIR=" + home, "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1"}
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY"} {
		env = append(env, name+"="+m.stray.URL)
	}
	return env
}

const behindText = "behind the proxy"

// content is the service of clients that fetch a page.
func content(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>Behind</title><p>%s</p>\n", behindText)
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// versionOf returns the first version number that a command prints.
func (m *matrix) versionOf(t *testing.T, command []string) string {
	key := strings.Join(command, " ")
	m.mu.Lock()
	known := m.versions[key]
	m.mu.Unlock()
	if known != "" {
		return known
	}
	out, _ := execute(t, t.TempDir(), m.environment(t.TempDir()), "", command[0], command[1:]...)
	number := versionNumber.FindString(out)
	if number == "" {
		t.Fatalf("%s: no version in %q", key, out)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.versions[key] = number
	return number
}

// command runs a program in the call's home directory.
func (c *call) command(name string, args ...string) (out string, code int) {
	c.t.Helper()
	out, code = execute(c.t, c.dir, c.env, "", name, args...)
	fmt.Fprintf(&c.printed, "%s %s\n%sexit %d\n", name, strings.Join(args, " "), out, code)
	return out, code
}

// exits runs a program and returns whether it exits with 0.
func (c *call) exits(name string, args ...string) bool {
	c.t.Helper()
	_, code := c.command(name, args...)
	return code == 0
}

// gets runs a program and returns whether it exits with 0 and prints the service's page.
func (c *call) gets(name string, args ...string) bool { return c.prints(behindText, name, args...) }

// prints runs a program and returns whether it exits with 0 and prints a text.
func (c *call) prints(wanted, name string, args ...string) bool {
	c.t.Helper()
	out, code := c.command(name, args...)
	return code == 0 && strings.Contains(out, wanted)
}

// pair returns "user:password", or ":" without credentials.
func (c *call) pair() string { return c.user + ":" + c.password }

// with returns the arguments with credentials, if the call has any, followed by the others.
func (c *call) with(credentials []string, others ...string) []string {
	if c.pair() == ":" {
		return others
	}
	return slices.Concat(credentials, others)
}

// userURL returns the server's URL with the credentials in it.
func (c *call) userURL() string {
	if c.pair() == ":" {
		return c.url
	}
	return strings.Replace(c.url, "://", "://"+c.pair()+"@", 1)
}

// file writes a private file in the call's home directory and returns its path.
func (c *call) file(name, text string) (path string) {
	c.t.Helper()
	path = filepath.Join(c.dir, name)
	must(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(c.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// recipe returns a block of a recipe, with the call's address and credentials.
func (c *call) recipe(page, block string, swap ...string) string {
	c.t.Helper()
	text := recipe(c.t, page, block, swap...)
	for _, s := range [][2]string{
		{"https://anyname:TOKEN@files.example.com", c.userURL()}, {"https://files.example.com", c.url},
		{"files.example.com", c.host}, {"anyname", c.user}, {"TOKEN", c.password},
	} {
		text = strings.ReplaceAll(text, s[0], s[1])
	}
	return text
}

// configure writes a block of a recipe to a file. Without credentials the file is empty.
func (c *call) configure(name, page, block string, swap ...string) (path string) {
	c.t.Helper()
	text := c.recipe(page, block, swap...)
	if c.pair() == ":" {
		text = ""
	}
	return c.file(name, text)
}

// netrc is configure for .netrc. An empty password is written as two quotes.
func (c *call) netrc(page, machine string) (path string) {
	c.t.Helper()
	swap := []string{"machine files.example.com", "machine " + machine}
	if c.password == "" {
		swap = append(swap, "TOKEN", `""`)
	}
	return c.configure(".netrc", page, "netrc", swap...)
}

// encoded runs the command in a block of a recipe, which reads the token from a file, and returns
// its output.
func (c *call) encoded(page, block string) string {
	c.t.Helper()
	c.file("files-token", c.password+"\n")
	out, code := c.command("sh", "-c", c.recipe(page, block))
	if code != 0 {
		c.t.Fatal(out)
	}
	return out
}
