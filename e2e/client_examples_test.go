//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// example builds and runs a program of docs/examples until the test ends, and returns its URL.
func example(t *testing.T, name string, args ...string) (url string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", program,
		"../docs/examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := freeAddress(t)
	daemon(t, address, t.TempDir(), program, append(args, "-addr", address)...)
	return "http://" + address
}

// TestExamples runs the two examples of guarding a Go service. Their responses are those of
// Latchkey, and they reject expired and revoked tokens.
func TestExamples(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	user, admin := account(t, s, "ann@example.com"), administrator(t, s)
	for name, source := range map[string][]string{"remote": {"-latchkey", s.URL},
		"local": {"-data", s.Dir}} {
		t.Run(name, func(t *testing.T) {
			url := example(t, name, source...)
			checkExample(t, url, user, admin)
			expired := mustRun(t, s.Dir, "", "token", "issue", "ann@example.com", "--ttl", "1s")
			await(t, "the token to expire", func() bool {
				return strings.Contains(request(t, "GET", url+"/hello", "", bearer(expired)).Body,
					"token is expired")
			})
			revoked := login(t, s, "ann@example.com")
			if got := request(t, "GET", url+"/hello", "", bearer(revoked)); got.Status != 200 {
				t.Fatalf("before the revocation: status %d, want 200", got.Status)
			}
			revoke(t, s, revoked)
			began := time.Now()
			await(t, "the example to reject the token", func() bool {
				return request(t, "GET", url+"/hello", "", bearer(revoked)).Status == 401
			})
			t.Logf("a revoked token was valid for another %v", time.Since(began).Round(time.Millisecond))
		})
	}
}

// checkExample sends requests to an example with tokens of a user and of an administrator.
func checkExample(t *testing.T, url, user, admin string) {
	t.Helper()
	for _, test := range []struct {
		name, path string
		headers    []string
		status     int
		body       string
	}{
		{"OK", "/hello", []string{basic(user, "")}, 200, "Hello, ann@example.com, number "},
		{"OK/password", "/hello", []string{basic("any", user)}, 200, "Hello, ann@example.com, number "},
		{"OK/Bearer", "/hello", []string{bearer(user)}, 200, "Hello, ann@example.com, number "},
		{"OK/cookie", "/hello", []string{"Cookie: a=b; latchkey=" + user + "; c=d"}, 200, "Hello, ann@"},
		{"OK/scope", "/admin", []string{bearer(admin)}, 200, "Hello, "},
		{"OK/cached", "/admin", []string{bearer(admin)}, 200, "Hello, "},
		{"ErrScope", "/admin", []string{bearer(user)}, 403,
			`{"error_code":1004,"msg":"forbidden, not in scope"`},
		{"ErrInvalid", "/hello", []string{bearer(tamper(user))}, 401,
			`{"error_code":1002,"msg":"token is invalid","request":"GET /hello"}`},
		{"ErrInvalid/none", "/hello", nil, 401, `{"error_code":1002,"msg":"token is invalid"`},
		{"ErrInvalid/two", "/hello", []string{bearer(user), bearer(admin)}, 401, `{"error_code":1002`},
		{"ErrInvalid/two kinds", "/hello", []string{bearer(user), "Cookie: latchkey=" + admin}, 401,
			`{"error_code":1002`},
		{"ErrInvalid/identity alone", "/hello", []string{"X-Auth-Uid: 1"}, 401, `{"error_code":1002`},
	} {
		got := request(t, "GET", url+test.path, "", test.headers...)
		if got.Status != test.status || !strings.HasPrefix(got.Body, test.body) {
			t.Errorf("%s: status %d %s, want %d %s", test.name, got.Status, got.Body, test.status, test.body)
		}
		var want []string
		if test.status == 401 {
			want = []string{challenge}
		}
		if values := got.Header.Values("WWW-Authenticate"); !slices.Equal(values, want) {
			t.Errorf("%s: challenge %q, want %q", test.name, values, want)
		}
	}
	script := request(t, "GET", url+"/hello", "", "Sec-Fetch-Mode: cors")
	if values := script.Header.Values("WWW-Authenticate"); len(values) != 0 {
		t.Errorf("a script gets the challenge %q, want none", values)
	}
}

// TestExampleFailsClosed runs the examples without a working Latchkey. They accept no request.
func TestExampleFailsClosed(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer silent.Close()
	for name, latchkey := range map[string]string{
		"absent": "http://" + freeAddress(t), "silent": "http://" + silent.Addr().String(),
		"another program": newService(t).URL, // answers 200 to everything
	} {
		t.Run(name, func(t *testing.T) {
			url := example(t, "remote", "-latchkey", latchkey)
			for _, header := range []string{bearer(strings.Repeat("x", 56)), basic("ann", "secret")} {
				started := time.Now()
				got := requestOnce(t, "GET", url+"/hello", "", header)
				if got.Status != 503 || got.Header.Get("Retry-After") != "1" {
					t.Errorf("status %d, want 503 with Retry-After: %s", got.Status, got.Body)
				}
				requireWithin(t, "a response without Latchkey", time.Since(started), 10*time.Second)
			}
		})
	}
	program := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", program,
		"../docs/examples/local").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	empty := t.TempDir()
	if out, err := exec.Command(program, "-data", empty).CombinedOutput(); err == nil {
		t.Errorf("the example local starts without a data directory: %s", out)
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 0 {
		t.Errorf("the example local creates files in an empty directory: %v", entries)
	}
}
