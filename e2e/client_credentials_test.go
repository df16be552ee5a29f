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

// person works on a machine of their own: a home directory without a data directory.
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

// does is latchkey that must succeed.
func (p person) does(stdin string, args ...string) string {
	p.t.Helper()
	out, errOut, code := p.latchkey(stdin, args...)
	if code != 0 {
		p.t.Fatalf("latchkey %v: exit %d: %s", args, code, errOut)
	}
	return strings.TrimSuffix(out, "\n")
}

// fails is latchkey that must not; it returns its one line.
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

// TestClientLogin: who has logged in once is given a token that works, for the hosts named and no other, kept in a
// file for its owner alone; after a logout the token has ended and is forgotten.
func TestClientLogin(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	if got := p.fails("", "token"); !strings.Contains(got, "run latchkey login URL") {
		t.Errorf("before a login: %s", got)
	}
	if entries, err := os.ReadDir(p.home); err != nil || len(entries) != 0 {
		t.Errorf("a question made %v (%v)", entries, err)
	}
	for name, c := range map[string]struct{ want, stdin, url, account string }{
		"wrong secret":  {"the account or the password is wrong", "secret2\n", s.URL, "ann@example.com"},
		"unknown":       {"the account or the password is wrong", "secret1\n", s.URL, "bob@example.com"},
		"no Latchkey":   {"is not a Latchkey server", "secret1\n", anyServer(t), "ann@example.com"},
		"nobody there":  {"connection refused", "secret1\n", "http://" + closedAddress(t), "ann@example.com"},
		"plain http":    {"use https, or --insecure", "secret1\n", "http://login.example.com", "ann@example.com"},
		"no address":    {"is not the URL of a Latchkey server", "secret1\n", "login.example.com", "ann@example.com"},
		"empty secret":  {"400", "\n", s.URL, "ann@example.com"},
		"nothing typed": {"no password on standard input", "", s.URL, "ann@example.com"},
	} {
		got := p.fails(c.stdin, "login", c.url, "--account", c.account, "--secret-stdin")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
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
		t.Errorf("the token after the logout: %d", got)
	}
	p.fails("", "token")
	p.fails("", "logout")
	if entries, err := os.ReadDir(p.home); err != nil || len(entries) != 1 {
		t.Errorf("the home has %v (%v): a data directory was made", entries, err)
	}
}

// closedAddress is an address at which nobody listens.
func closedAddress(t *testing.T) string {
	s := start(t, t.TempDir(), cheapHashes...)
	s.kill()
	return strings.TrimPrefix(s.URL, "http://")
}

// anyServer is a web server that is no Latchkey.
func anyServer(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL
}

// TestClientRenews: helpers that run at once renew a token once when half of its time is over, and each is given one
// that works. A server that is away does not matter while the token lives; a token that was ended does.
func TestClientRenews(t *testing.T) {
	s := start(t, t.TempDir(), append(cheapHashes, "--token-ttl", "20s")...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com")
	first := p.does("", "token")
	file := filepath.Join(p.home, ".config/latchkey/tokens.json")
	age := func(by int64) { // as if so many seconds had passed
		t.Helper()
		text, err := os.ReadFile(file)
		must(t, err)
		var logins []map[string]any
		must(t, json.Unmarshal(text, &logins))
		logins[0]["expires_at"] = logins[0]["expires_at"].(float64) - float64(by)
		text, err = json.Marshal(logins)
		must(t, err)
		must(t, os.WriteFile(file, text, 0o600))
	}
	age(5)
	if got := p.does("", "token"); got != first {
		t.Error("renewed too early")
	}
	age(6)
	tokens := make([]string, 20)
	var wait sync.WaitGroup
	for i := range tokens {
		wait.Go(func() { tokens[i], _, _ = p.latchkey("", "token") })
	}
	wait.Wait()
	for _, token := range tokens {
		if token != tokens[0] || strings.TrimSpace(token) == first {
			t.Fatalf("given %q and %q, at first %q", tokens[0], token, first)
		}
	}
	if got := statusOf(t, s, strings.TrimSpace(tokens[0])); got != 200 {
		t.Errorf("the renewed token: %d", got)
	}
	if got := strings.Count(mustRun(t, s.Dir, "", "token", "list", "ann@example.com", "--json"), "\n") + 1; got != 3 {
		t.Errorf("%d tokens: the account's own, the first and the renewed were expected", got)
	}
	s.kill()
	age(12)
	if got := p.does("", "token"); got+"\n" != tokens[0] {
		t.Error("without a server, the present token was expected")
	}
	age(10)
	if got := p.fails("", "token"); !strings.Contains(got, "the login has expired or was revoked: run latchkey login "+s.URL) {
		t.Errorf("expired: %s", got)
	}
	again := start(t, t.TempDir(), cheapHashes...)
	account(t, again, "ann@example.com")
	q := newPerson(t)
	q.logIn(again, "ann@example.com")
	mustRun(t, again.Dir, "", "token", "revoke", "--all", "ann@example.com", "--yes")
	p.home, file = q.home, filepath.Join(q.home, ".config/latchkey/tokens.json")
	age(2 * 3600 / 3 * 2)
	await(t, "the end to be felt", func() bool {
		_, errOut, code := q.latchkey("", "token")
		return code == 1 && strings.Contains(errOut, "the login has expired or was revoked: run latchkey login "+again.URL)
	})
}

// TestClientKill: a file of logins that is being written when its writer is killed is the old one or the new one.
func TestClientKill(t *testing.T) {
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
			t.Fatalf("after the kill: %d", got)
		}
	}
}

// TestClientProtocols: what git and Docker ask is answered in their own words, for hosts of a login alone.
func TestClientProtocols(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	p.logIn(s, "ann@example.com", "--for", "git.example.com", "--for", "127.0.0.1:3000")
	token := p.does("", "token")
	git := []struct{ name, operation, stdin, want string }{
		{"OK", "get", "protocol=https\nhost=git.example.com\n\n",
			"username=latchkey\npassword=" + token + "\npassword_expiry_utc="},
		{"OK/name given", "get", "capability[]=authtype\nprotocol=https\nhost=git.example.com\npath=x.git\nusername=ann\n",
			"username=ann\npassword=" + token + "\n"},
		{"OK/here", "get", "protocol=http\nhost=127.0.0.1:3000\n", "username=latchkey\npassword=" + token + "\n"},
		{"unknown", "get", "protocol=https\nhost=evil.example\n", ""},
		{"http", "get", "protocol=http\nhost=git.example.com\n", ""},
		{"other port", "get", "protocol=https\nhost=git.example.com:8443\n", ""},
		{"certificate", "get", "protocol=cert\nhost=\npath=/x\n", ""}, {"nothing", "get", "", ""},
		{"a second host", "get", "protocol=https\nhost=git.example.com\nhost=evil.example\n", ""},
		{"store", "store", "protocol=https\nhost=git.example.com\nusername=x\npassword=y\n", ""},
		{"unknown operation", "capability", "rubbish", ""},
		{"erase another", "erase", "protocol=https\nhost=git.example.com\npassword=y\n", ""},
		{"erase one that works", "erase", "protocol=https\nhost=git.example.com\npassword=" + token + "\n", ""},
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
		t.Error("erasing forgot a token that works")
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
		{"OK/here", "get", "127.0.0.1:3000", `{"ServerURL":"127.0.0.1:3000",`, 0},
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
	await(t, "git's erasing to forget an ended token", func() bool {
		p.does("protocol=https\nhost=git.example.com\npassword="+token+"\n", "git-credential", "erase")
		_, _, code := p.latchkey("", "token")
		return code == 1
	})
}

// TestClientNetrc: the lines of a .netrc file are replaced, everybody else's stay, and the file is private.
func TestClientNetrc(t *testing.T) {
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
