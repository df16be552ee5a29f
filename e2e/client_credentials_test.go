package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// person is a user on their own machine: a home directory without a data directory.
type person struct {
	t    *testing.T
	home string
}

func newPerson(t *testing.T) person { return person{t, t.TempDir()} }

// latchkey runs a command as the person.
func (p person) latchkey(stdin string, args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	return p.run(binary, stdin, args...)
}

func (p person) run(program, stdin string, args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), program, args...)
	var out, errOut strings.Builder
	cmd.Dir, cmd.Env = p.home, []string{"HOME=" + p.home, "PATH=" + p.home + ":" + os.Getenv("PATH")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// does runs a command that must succeed, and returns its output without the last line end.
func (p person) does(stdin string, args ...string) string {
	p.t.Helper()
	out, errOut, code := p.latchkey(stdin, args...)
	if code != 0 {
		p.t.Fatalf("latchkey %v: exit %d: %s", args, code, errOut)
	}
	return strings.TrimSuffix(out, "\n")
}

// fails runs a command that must fail with one line on standard error, and returns that line.
func (p person) fails(stdin string, args ...string) string {
	p.t.Helper()
	out, errOut, code := p.latchkey(stdin, args...)
	if code != 1 || strings.Count(errOut, "\n") != 1 {
		p.t.Errorf("latchkey %v: exit %d: %s%s", args, code, out, errOut)
	}
	return errOut
}

func (p person) logIn(s *server, account string, args ...string) {
	p.t.Helper()
	p.does("secret1\n", append([]string{"login", s.URL, "--account", account, "--secret-stdin"}, args...)...)
}

// TestClientLogin: after a login the user gets a valid token for the named hosts and no others. The token is in a file
// that only its owner can read. A logout revokes the token and removes it.
func TestClientLogin(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	if got := p.fails("", "token"); !strings.Contains(got, "run latchkey login URL") {
		t.Errorf("before a login: %s", got)
	}
	if entries, err := os.ReadDir(p.home); err != nil || len(entries) != 0 {
		t.Errorf("a request for a token created %v (%v)", entries, err)
	}
	for name, c := range map[string]struct{ want, stdin, url, account string }{
		"wrong password": {"the account or the password is wrong", "secret2\n", s.URL, "ann@example.com"},
		"unknown":        {"the account or the password is wrong", "secret1\n", s.URL, "bob@example.com"},
		"another server": {"is not a Latchkey server", "secret1\n", anyServer(t), "ann@example.com"},
		"no server":      {"connection refused", "secret1\n", "http://" + closedAddress(t), "ann@example.com"},
		"empty password": {"400", "\n", s.URL, "ann@example.com"},
		"no input":       {"no password on standard input", "", s.URL, "ann@example.com"},
	} {
		got := p.fails(c.stdin, "login", c.url, "--account", c.account, "--secret-stdin")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for url, want := range map[string]string{"http://login.example.com": "use https, or --insecure",
		"login.example.com": "is not the URL of a Latchkey server"} {
		_, got, code := p.latchkey("secret1\n", "login", url, "--account", "ann@example.com", "--secret-stdin")
		if code != 2 || !strings.Contains(got, want) {
			t.Errorf("%s: exit %d, %q, want 2, %q", url, code, got, want)
		}
	}
	p.logIn(s, "ann@example.com", "--for", "app.example.com", "--for", "*.git.example.com")
	file := filepath.Join(p.home, ".config/latchkey/tokens.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	token := p.does("", "token", "app.example.com")
	if got := statusOf(t, s, token); got != 200 {
		t.Errorf("the token: %d", got)
	}
	if got := p.does("", "token", "app.example.com", "--json"); !strings.Contains(got, `"token":"`+token+`"`) {
		t.Errorf("the token as JSON: %s", got)
	}
	header := p.does("", "token", "--header", "https://a.git.example.com/x")
	if got := request(t, "GET", s.URL+"/v1/user", "", header); got.Status != 200 {
		t.Errorf("%s: %d", header, got.Status)
	}
	if got := p.does("", "token"); got != token {
		t.Errorf("without a host: %s", got)
	}
	for _, host := range []string{"example.com", "evil-app.example.com", "app.example.com.evil.example", "git.example.com",
		"https://app.example.com@evil.example", "http://app.example.com", "app.example.com:8443"} {
		if got := p.fails("", "token", host); strings.Contains(got, token) {
			t.Errorf("%s: %s", host, got)
		}
	}
	if got := p.does("", "logins"); strings.Contains(got, token) || !strings.Contains(got,
		"app.example.com *.git.example.com") {
		t.Errorf("logins: %s", got)
	}
	p.does("", "logout", s.URL)
	if got := statusOf(t, s, token); got != 401 {
		t.Errorf("the token after the logout: status %d", got)
	}
	p.fails("", "token")
	p.fails("", "logout")
	if entries, err := os.ReadDir(p.home); err != nil || len(entries) != 1 {
		t.Errorf("the home directory has %v (%v), want .config alone", entries, err)
	}
}

// closedAddress returns an address on which no server listens.
func closedAddress(t *testing.T) string {
	s := start(t, t.TempDir(), cheapHashes...)
	s.kill()
	return strings.TrimPrefix(s.URL, "http://")
}

// anyServer returns the URL of a web server other than Latchkey.
func anyServer(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL
}

// age moves the expiry of the newest login back, as if so many seconds had passed.
func (p person) age(seconds float64) {
	p.t.Helper()
	file := filepath.Join(p.home, ".config/latchkey/tokens.json")
	text, err := os.ReadFile(file)
	must(p.t, err)
	var logins []map[string]any
	must(p.t, json.Unmarshal(text, &logins))
	logins[0]["expires_at"] = logins[0]["expires_at"].(float64) - seconds
	text, err = json.Marshal(logins)
	must(p.t, err)
	must(p.t, os.WriteFile(file, text, 0o600))
}

// TestClientRenews: a token of two hours is renewed after one, by one of several helpers that run at once, and each
// prints the new one. Without the server, the token is used until it expires.
func TestClientRenews(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--token-ttl", "2h")...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com")
	first := p.does("", "token")
	p.age(3000)
	if got := p.does("", "token"); got != first {
		t.Error("the token was renewed too early")
	}
	p.age(1000)
	tokens := make([]string, 20)
	var wait sync.WaitGroup
	for i := range tokens {
		wait.Go(func() { tokens[i], _, _ = p.latchkey("", "token") })
	}
	wait.Wait()
	renewed := strings.TrimSpace(tokens[0])
	for _, token := range tokens {
		if token != tokens[0] || renewed == first {
			t.Fatalf("got %q and %q, the first token was %q", tokens[0], token, first)
		}
	}
	if got := statusOf(t, s, renewed); got != 200 {
		t.Errorf("the renewed token: status %d", got)
	}
	s.kill()
	p.age(6000)
	if got := p.does("", "token"); got != renewed {
		t.Errorf("without the server: %q, want %q", got, renewed)
	}
	p.age(1200)
	if got := p.fails("", "token"); !strings.Contains(got, over(s)) {
		t.Errorf("expired: %s", got)
	}
}

// over is the error for a login whose token has expired or was revoked.
func over(s *server) string {
	return "the login has expired or was revoked: run latchkey login " + s.URL
}

// TestClientRevoked: a login whose token was revoked ends when the token is due for renewal.
func TestClientRevoked(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), append(cheapHashes, "--token-ttl", "2h")...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com")
	token := p.does("", "token")
	mustRun(t, s.Dir, "", "token", "revoke", "--all", "ann@example.com", "--yes")
	await(t, "the server to know of the revocation", func() bool { return statusOf(t, s, token) == 401 })
	p.age(4000)
	if got := p.fails("", "token"); !strings.Contains(got, over(s)) {
		t.Errorf("revoked: %s", got)
	}
}

// TestClientKill: if a login is killed while it writes the file, the file has the old content or the new.
func TestClientKill(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com")
	for i := range 30 {
		cmd := exec.Command(binary, "login", s.URL, "--account", "ann@example.com", "--secret-stdin")
		cmd.Env, cmd.Stdin = []string{"HOME=" + p.home}, strings.NewReader("secret1\n")
		must(t, cmd.Start())
		time.AfterFunc(time.Duration(i)*2*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if got := statusOf(t, s, p.does("", "token")); got != 200 {
			t.Fatalf("after the kill: status %d", got)
		}
	}
}

// TestClientProtocols: git and Docker get credentials in their own protocols, for the hosts of a login alone.
func TestClientProtocols(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com", "--for", "git.example.com", "--for", "127.0.0.1:3000")
	token := p.does("", "token")
	git := []struct{ name, operation, stdin, want string }{
		{"OK", "get", "protocol=https\nhost=git.example.com\n\n",
			"username=latchkey\npassword=" + token + "\npassword_expiry_utc="},
		{"OK/with a user name", "get",
			"capability[]=authtype\nprotocol=https\nhost=git.example.com\npath=x.git\nusername=ann\n",
			"username=ann\npassword=" + token + "\n"},
		{"OK/this machine", "get", "protocol=http\nhost=127.0.0.1:3000\n", "username=latchkey\npassword=" + token + "\n"},
		{"unknown", "get", "protocol=https\nhost=evil.example\n", ""},
		{"http", "get", "protocol=http\nhost=git.example.com\n", ""},
		{"other port", "get", "protocol=https\nhost=git.example.com:8443\n", ""},
		{"certificate", "get", "protocol=cert\nhost=\npath=/x\n", ""}, {"nothing", "get", "", ""},
		{"a second host", "get", "protocol=https\nhost=git.example.com\nhost=evil.example\n", ""},
		{"store", "store", "protocol=https\nhost=git.example.com\nusername=x\npassword=y\n", ""},
		{"unknown operation", "capability", "rubbish", ""},
		{"erase an unknown token", "erase", "protocol=https\nhost=git.example.com\npassword=y\n", ""},
		{"erase a valid token", "erase", "protocol=https\nhost=git.example.com\npassword=" + token + "\n", ""},
	}
	for _, test := range git {
		out, errOut, code := p.latchkey(test.stdin, "git-credential", test.operation)
		if code != 0 || !strings.HasPrefix(out, test.want) || (test.want == "") != (out == "") {
			t.Errorf("git, %s: exit %d, %q, %q, want %q", test.name, code, out, errOut, test.want)
		}
	}
	if got := p.fails("protocol=https\nhost=git.example.com\x00.evil.example\n", "git-credential",
		"get"); strings.Contains(got, token) {
		t.Errorf("git, a zero byte: %s", got)
	}
	if got := p.does("", "token"); got != token {
		t.Error("git erased a valid token")
	}
	must(t, os.Symlink(binary, filepath.Join(p.home, "docker-credential-latchkey")))
	const unknown = "credentials not found in native keychain\n"
	docker := []struct {
		name, operation, stdin, want string
		code                         int
	}{
		{"OK", "get", "https://git.example.com/v2/",
			`{"ServerURL":"https://git.example.com/v2/","Username":"latchkey","Secret":"` + token, 0},
		{"OK/name", "get", "git.example.com\n", `{"ServerURL":"git.example.com","Username":"latchkey","Secret":"` + token, 0},
		{"OK/this machine", "get", "127.0.0.1:3000", `{"ServerURL":"127.0.0.1:3000",`, 0},
		{"OK/list", "list", "", `{"127.0.0.1:3000":"latchkey","git.example.com":"latchkey"}`, 0},
		{"unknown", "get", "registry.example", unknown, 1}, {"http", "get", "http://git.example.com", unknown, 1},
		{"nothing", "get", "", "no credentials server URL\n", 1}, {"rubbish", "get", "://\x00", unknown, 1},
		{"store", "store", `{"ServerURL":"git.example.com","Username":"a","Secret":"b"}`,
			"only latchkey login stores tokens: run latchkey login URL --for HOST\n", 1},
		{"erase", "erase", "git.example.com", "docker logout does not revoke the token: run latchkey logout\n", 1},
		{"version", "version", "", "docker-credential-latchkey (latchkey) ", 0},
		{"unknown operation", "x", "", "docker-credential-latchkey: unknown action: x\n", 1},
	}
	for _, test := range docker {
		out, errOut, code := p.run(filepath.Join(p.home, "docker-credential-latchkey"), test.stdin, test.operation)
		if code != test.code || !strings.HasPrefix(out, test.want) || errOut != "" {
			t.Errorf("Docker, %s: exit %d, %q, %q, want %q", test.name, code, out, errOut, test.want)
		}
	}
	mustRun(t, s.Dir, "", "token", "revoke", token)
	await(t, "git to erase a revoked token", func() bool {
		p.does("protocol=https\nhost=git.example.com\npassword="+token+"\n", "git-credential", "erase")
		_, _, code := p.latchkey("", "token")
		return code == 1
	})
}

// TestClientNetrc: entries of a .netrc file are replaced, others stay, and only the owner can read the file.
func TestClientNetrc(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com", "--for", "app.example.com", "--for", "*.wild.example.com")
	line := "machine app.example.com login latchkey password " + p.does("", "token") + "\n"
	if got := p.does("", "netrc") + "\n"; got != line {
		t.Errorf("%q, want %q", got, line)
	}
	if got := p.does("", "netrc", "x.wild.example.com"); !strings.HasPrefix(got, "machine x.wild.example.com login ") {
		t.Errorf("%q", got)
	}
	if got := p.fails("", "netrc", "evil.example"); !strings.Contains(got, "evil.example: no login covers this host") {
		t.Errorf("%q", got)
	}
	file := filepath.Join(p.home, ".netrc")
	must(t, os.WriteFile(file, []byte("machine a login b password c\nmachine app.example.com password OLD\n"), 0o644))
	for range 2 {
		p.does("", "netrc", "--file", file)
	}
	text, err := os.ReadFile(file)
	if want := line + "machine a login b password c\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
