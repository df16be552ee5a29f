package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCommands runs commands and checks their output, error and exit code.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addUser(t, dir, "a@b.cn")
	tests := []struct {
		name, stdin string
		args        []string
		code        int
		out, err    string // patterns
	}{
		{"version", "", []string{"version"}, 0, `^latchkey \S+, commit \S+, go1\.\S+, SQLite 3\.\S+\n$`,
			`^$`},
		{"help", "", []string{"--help"}, 0, `user add[\s\S]*token inspect[\s\S]*git-credential`, `^$`},
		{"unknown flag", "", []string{"--zzzz"}, 2, `^$`, `^latchkey: unknown flag --zzzz .*\n$`},
		{"bad ttl", "", []string{"token", "issue", "a@b.cn", "--ttl", "10ms"}, 2, `^$`, `--ttl: .*1s`},
		{"bad cost", "", []string{"--argon2-memory", "1", "user", "list"}, 2, `^$`,
			`^latchkey: user list: --argon2-memory.*argon2id takes .*\n$`},
		{"taken", "secret1\n", []string{"user", "add", "A@b.cn", "--nickname", "Bob", "--secret-stdin"},
			1, `^$`, `already registered`},
		{"no password", "", []string{"user", "add", "c@b.cn", "--nickname", "Bob", "--secret-stdin"}, 1,
			`^$`, `no password on standard input`},
		{"no terminal", "", []string{"user", "passwd", "a@b.cn"}, 2, `^$`, `pass --secret-stdin`},
		{"nobody", "", []string{"user", "disable", "x@b.cn"}, 1, `^$`, `account x@b.cn: not found`},
		{"list", "", []string{"user", "list"}, 0, `1 +a@b\.cn +Ann +user +active`, `^$`},
		{"list as JSON", "", []string{"user", "list", "--json"}, 0, `"account":"a@b.cn"`, `^$`},
		{"token alone", "", []string{"token", "issue", "A@B.cn"}, 0, `^[A-Za-z0-9_-]{56}\n$`, `^issued in .*\n$`},
		{"token as JSON", "", []string{"token", "issue", "a@b.cn", "--ttl", "90s", "--json"}, 0,
			`"uid":1`, `^$`},
		{"inspect nonsense", "", []string{"token", "inspect", "x"}, 1, `^Not accepted .*56 characters`,
			`^$`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err, code := latchkey(t, dir, test.stdin, test.args...)
			if code != test.code || !regexp.MustCompile(test.out).MatchString(out) ||
				!regexp.MustCompile(test.err).MatchString(err) {
				t.Errorf("exit %d, want %d\nstdout %q, want %s\nstderr %q, want %s",
					code, test.code, out, test.out, err, test.err)
			}
		})
	}
}

// TestEnvironment sets flags by environment variables: LATCHKEY_ and the flag's name.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addUser(t, dir, "a@b.cn")
	cmd, began := exec.Command(binary, "token", "issue", "a@b.cn", "--json"), time.Now()
	cmd.Env = []string{"LATCHKEY_DATA=" + dir, "LATCHKEY_TOKEN_TTL=90s"}
	out, err := cmd.Output()
	must(t, err)
	var issued struct {
		ExpiresAt int64 `json:"expires_at"`
	}
	must(t, json.Unmarshal(out, &issued))
	if from := issued.ExpiresAt - 90; from < began.Unix() || from > time.Now().Unix() {
		t.Errorf("the token expires at %d, want 90 s after its issue at %d", issued.ExpiresAt, began.Unix())
	}
}

// TestClosedRegistrationAndHiddenAccounts tests the flags --registration closed and
// --hide-accounts.
func TestClosedRegistrationAndHiddenAccounts(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--registration", "closed", "--hide-accounts")
	body := registerJSON("a@b.cn")
	got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON)
	if got.Status != 403 || !strings.Contains(got.Body, "registration is closed") {
		t.Errorf("registration: status %d, want 403 \"registration is closed\": %s", got.Status, got.Body)
	}
	got = request(t, "POST", s.URL+"/v1/token", body, asJSON)
	if got.Status != 401 || !strings.Contains(got.Body, "1005") {
		t.Errorf("login: status %d, want 401 with error_code 1005: %s", got.Status, got.Body)
	}
	checkStatus(t, "the registration page", request(t, "GET", s.URL+"/register", "",
		"Accept: text/html"), 403)
}

// TestTune runs latchkey tune. It recommends the most expensive parameters within the budget, and
// none if all exceed it.
func TestTune(t *testing.T) {
	t.Parallel()
	for budget, want := range map[string]string{"1h": "131072 KiB with 3 passes", "1ns": "nothing"} {
		out, stderr, code := latchkey(t, t.TempDir(), "", "tune", "--budget", budget, "--json")
		got, lines := "nothing", 0
		for line := range strings.Lines(out) {
			var row struct {
				MemoryKiB   int `json:"memory_kib"`
				Passes      int
				Millis      float64 `json:"ms"`
				Recommended bool
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.Millis <= 0 {
				t.Fatalf("%v: %s", err, line)
			}
			if lines++; row.Recommended {
				got = fmt.Sprintf("%d KiB with %d passes", row.MemoryKiB, row.Passes)
			}
		}
		if code != 0 || got != want || lines < 10 {
			t.Errorf("budget %s: recommends %s of %d, want %s (exit %d, %s)", budget, got, lines, want, code,
				stderr)
		}
	}
}

// TestServeFlags starts the server with valid and invalid addresses. An invalid one fails with one
// line before any file is created.
func TestServeFlags(t *testing.T) {
	t.Parallel()
	public := []string{"--registration", "open", "--public-url", "https://login.example.com"}
	const undecided = "say open (everyone may register), approve"
	tests := []struct {
		name string
		args []string
		want string // "" if the server starts
	}{
		{"OK", []string{"--registration", "approve", "--public-url", "https://Login.Example.com:443/",
			"--cookie-domain", "Example.com", "--return-host", "App.example.org:8443"}, ""},
		{"OK/the login host", append(public, "--cookie-domain", "login.example.com"), ""},
		{"OK/empty", []string{"--public-url", ""}, ""},
		{"OK/every address", []string{"--registration", "closed", "--addr", ":0"}, ""},
		{"Err/undecided behind a proxy", public[2:], undecided},
		{"Err/undecided on every address", []string{"--addr", ":0"}, undecided},
		{"Err/undecided on another address", []string{"--addr", "192.0.2.1:0"}, undecided},
		{"Err/neither", []string{"--registration", "maybe"}, "open"},
		{"Err/no public URL", []string{"--cookie-domain", "example.com"}, "need --public-url"},
		{"Err/no scheme", []string{"--public-url", "login.example.com"},
			"--public-url is a scheme and a host"},
		{"Err/path", []string{"--public-url", "https://login.example.com/x"},
			"--public-url is a scheme and a host"},
		{"Err/user name", []string{"--public-url", "https://u@login.example.com"},
			"--public-url is a scheme and a host"},
		{"Err/dots", []string{"--public-url", "https://login..example.com"},
			"--public-url is a scheme and a host"},
		{"Err/port", []string{"--public-url", "https://login.example.com:99999"}, "--public-url"},
		{"Err/another domain", append(public, "--cookie-domain", "example.org"),
			"that contains login.example.com"},
		{"Err/suffix only", append(public, "--cookie-domain", "ample.com"),
			"that contains login.example.com"},
		{"Err/public suffix", []string{"--registration", "closed", "--public-url",
			"https://login.co.uk", "--cookie-domain", "co.uk"},
			"is a public suffix"},
		{"Err/private public suffix", []string{"--registration", "closed", "--public-url",
			"https://me.github.io", "--cookie-domain", "github.io"}, "is a public suffix"},
		{"Err/top level", append(public, "--cookie-domain", "com"), "is a public suffix"},
		{"Err/URL for a host", append(public, "--return-host", "https://app.example.org"),
			"--return-host is a host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if test.want == "" {
				start(t, dir, append(test.args, "--log-level", "error")...)
				return
			}
			_, stderr, code := latchkey(t, dir, "", append([]string{"serve", "--addr", "127.0.0.1:0"},
				test.args...)...)
			if code == 0 || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d: %q, want an error in one line with %q", code, stderr, test.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the data directory was created")
			}
		})
	}
}
