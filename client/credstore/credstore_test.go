package credstore

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPlaces(t *testing.T) {
	login := Login{Hosts: []string{"login.example.com", "app.example.com:8443", "*.git.example.com", "[::1]:3000",
		"files.example.org"}}
	careless := Login{Hosts: []string{"app.example.com"}, Insecure: true}
	local := Login{Hosts: []string{"127.0.0.1:3000", "app.localhost:3000", "127.0.0.1"}}
	tests := []struct {
		name  string
		login Login
		place string
		want  bool
	}{
		{"OK/name alone", login, "login.example.com", true}, {"OK/address", login, "https://login.example.com/a?b#c", true},
		{"OK/usual port", login, "https://login.example.com:443", true}, {"OK/capitals", login, "LOGIN.Example.com", true},
		{"OK/port", login, "https://app.example.com:8443/x", true}, {"OK/below", login, "https://a.git.example.com", true},
		{"OK/far below", login, "a.b.git.example.com", true}, {"OK/IPv6", login, "http://[::1]:3000", true},
		{"OK/plain http here", local, "http://127.0.0.1:3000/x", true}, {"OK/port 80", local, "http://127.0.0.1:80", true},
		{"OK/localhost", local, "http://app.localhost:3000", true}, {"OK/insecure", careless, "http://app.example.com", true},
		{"Err/plain http", login, "http://login.example.com", false},
		{"Err/other port", login, "login.example.com:8443", false},
		{"Err/no port", login, "https://app.example.com", false}, {"Err/the domain", login, "git.example.com", false},
		{"Err/looks like", login, "evil-login.example.com", false}, {"Err/ends like", login, "xgit.example.com", false},
		{"Err/begins like", login, "login.example.com.evil.example", false},
		{"Err/below a name", login, "a.login.example.com", false},
		{"Err/dot at the end", login, "login.example.com.", false},
		{"Err/somebody at", login, "https://u@login.example.com", false},
		{"Err/somebody else's", login, "https://login.example.com@evil.example", false},
		{"Err/escaped", login, "https://evil.example%2f.git.example.com", false},
		{"Err/backslash", login, `https://evil.example\.git.example.com`, false},
		{"Err/not ASCII", login, "https://ⓛogin.example.com", false},
		{"Err/other scheme", login, "ssh://login.example.com", false},
		{"Err/empty", login, "", false}, {"Err/star", login, "*.git.example.com", false},
		{"Err/dots", login, "..git.example.com", false},
		{"Err/blank", login, "a b.git.example.com", false}, {"Err/line end", login, "a\n.git.example.com", false},
		{"Err/ports run together", Login{Hosts: []string{"localhost:8"}}, "http://localhost:0", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := ParseTarget(test.place)
			if got := err == nil && test.login.isFor(p); got != test.want {
				t.Errorf("%q: %v (%v)", test.place, got, err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name     string
		login    Login
		url, err string
	}{
		{"OK", Login{URL: "https://Login.example.com/"}, "https://login.example.com", ""},
		{"OK/here", Login{URL: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", ""},
		{"OK/insecure", Login{URL: "http://login.example.com", Insecure: true}, "http://login.example.com", ""},
		{"OK/hosts", Login{URL: "https://a.example", Hosts: []string{"B.example:1", "*.c.example"}}, "https://a.example", ""},
		{"Err/plain http", Login{URL: "http://login.example.com"}, "", "plain http"},
		{"Err/no scheme", Login{URL: "login.example.com"}, "", "no address"},
		{"Err/path", Login{URL: "https://login.example.com/x"}, "", "no address"},
		{"Err/somebody", Login{URL: "https://u:p@login.example.com"}, "", "no address"},
		{"Err/every host", Login{URL: "https://a.example", Hosts: []string{"*"}}, "", "no host"},
		{"Err/every com", Login{URL: "https://a.example", Hosts: []string{"*.com"}}, "", "no host"},
		{"Err/address", Login{URL: "https://a.example", Hosts: []string{"https://b.example"}}, "", "no host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.login.check()
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) ||
				err == nil && test.login.URL != test.url {
				t.Errorf("%q, %v", test.login.URL, err)
			}
		})
	}
}

// TestFile: a file that others may read or that is broken is refused in one line that shows no token, and stays.
func TestFile(t *testing.T) {
	const good = `[{"url":"https://a.example","token":"SECRET","hosts":["a.example"],` +
		`"expires_at":9999999999,"lifetime":7200}]`
	tests := []struct {
		name, text string
		mode       os.FileMode
		err        string
	}{
		{"OK", good, 0o600, ""}, {"OK/read only", good, 0o400, ""},
		{"ErrFile/others", good, 0o604, "chmod 600"}, {"ErrFile/group", good, 0o640, "chmod 600"},
		{"ErrFile/broken", `[{"token":"SECRET"`, 0o600, "unexpected EOF"}, {"ErrFile/empty", "", 0o600, "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			if err := os.WriteFile(path, []byte(test.text), test.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			place, err := ParseTarget("a.example")
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(path).Fresh(t.Context(), place)
			if test.err == "" && err != nil || test.err != "" && (!errors.Is(err, ErrFile) ||
				!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("%v", err)
			}
			if text, _ := os.ReadFile(path); string(text) != test.text {
				t.Errorf("the file is now %q", text)
			}
		})
	}
	if _, err := New(t.TempDir()).Logins(); !errors.Is(err, ErrFile) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := New(filepath.Join(t.TempDir(), "none")).Fresh(context.Background(), AnyTarget()); !errors.Is(err,
		ErrNoLogin) {
		t.Errorf("no file: %v", err)
	}
}

// TestWriteFile: the file is private, also if it was not before, and a link to it stays a link.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if text, _ := os.ReadFile(path); string(text) != "new" {
		t.Errorf("%q", text)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
	if err := WriteFile(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a directory that is not there")
	}
}

func TestNetrc(t *testing.T) {
	app := Machine{"app.example.com", "latchkey", "NEW"}
	const line = "machine app.example.com login latchkey password NEW\n"
	tests := []struct{ name, text, want string }{
		{"empty", "", line},
		{"others", "machine a login b password c\n", line + "machine a login b password c\n"},
		{"one line", "machine app.example.com login x password OLD\nmachine a\n", line + "machine a\n"},
		{"in the middle", "machine a\nmachine app.example.com login x password OLD\nmachine b\n",
			line + "machine a\nmachine b\n"},
		{"several lines", "machine app.example.com\n\tlogin x\n\tpassword OLD\nmachine b\n", line + "machine b\n"},
		{"twice", "machine app.example.com login x\nmachine app.example.com password y\n", line},
		{"before default", "default login anonymous\n", line + "default login anonymous\n"},
		{"comments", "# mine\nmachine app.example.com password OLD\n# machine a\nmachine b\n",
			line + "# mine\n# machine a\nmachine b\n"},
		{"macro", "machine app.example.com\nmacdef init\nmachine app.example.com\n\nmachine b\n",
			line + "macdef init\nmachine app.example.com\n\nmachine b\n"},
		{"a password like a keyword", "machine a password machine login app.example.com\n",
			line + "machine a password machine login app.example.com\n"},
		{"quoted", `machine a password "x machine app.example.com y"` + "\n",
			line + `machine a password "x machine app.example.com y"` + "\n"},
		{"a password like a comment", "machine a password #1\nmachine app.example.com password OLD\n",
			line + "machine a password #1\n"},
		{"below", "machine x.app.example.com password y\n", line + "machine x.app.example.com password y\n"},
		{"user for login", "machine a password b\nmachine app.example.com\n user x\n password OLD\nmachine c\n",
			line + "machine a password b\nmachine c\n"},
		{"words nobody knows", "machine a password b\nmachine app.example.com port 443 login x passwd OLD\nmachine c\n",
			line + "machine a password b\nmachine c\n"},
		{"quoted name", "machine \"app.example.com\" password OLD\nmachine APP.example.com password OLD\n", line},
		{"Windows line ends", "machine app.example.com password OLD\r\nmachine b\r\n", line + "machine b\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Netrc(test.text, []Machine{app}); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// FuzzNetrc: with nothing to put in, no text changes; putting the same in twice is the same as once; the others'
// lines stay.
func FuzzNetrc(f *testing.F) {
	for _, seed := range []string{"", "machine a login b password c\n", "default\n", "macdef x\ny\n\nmachine a\n",
		"#\nmachine\n", "machine App.example.com",
		`machine "a`, "machine app.example.com login machine password password\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Netrc(text, nil); got != text {
			t.Errorf("%q became %q", text, got)
		}
		app := []Machine{{"app.example.com", "latchkey", "NEW"}}
		once := Netrc(text, app)
		_, first := (&netrcScanner{rest: text}).next(true) // a word of no machine would become one of ours
		known := first == "" || first == "machine" || first == "default" || first == "macdef"
		if twice := Netrc(once, app); twice != once && known {
			t.Errorf("%q became %q, then %q", text, once, twice)
		}
		if !strings.Contains(strings.ToLower(text), "app.example.com") && once != app[0].line()+text {
			t.Errorf("%q became %q", text, once)
		}
	})
}

// stub is a server that answers as it is told: renewals by a function, questions about a token with two hours.
func stub(t *testing.T, renew http.HandlerFunc) Login {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/token/renew", renew)
	mux.HandleFunc("POST /v1/token/secret", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"create_at":100,"expire_in":7300}`))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return Login{URL: s.URL, Account: "ann@example.com", Token: strings.Repeat("a", 56), Hosts: []string{"a.example"},
		ExpiresAt: time.Now().Unix() + 600, Lifetime: 7200}
}

func keep(t *testing.T, logins ...Login) *Store {
	t.Helper()
	w := New(filepath.Join(t.TempDir(), "tokens.json"))
	if err := w.write(logins); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRenewal: only Latchkey's own word ends a login before its time, only what has a token's form is taken for one,
// and a server that cannot be asked is left alone for a while.
func TestRenewal(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	old, fresh := strings.Repeat("a", 56), strings.Repeat("b", 56)
	tests := []struct {
		name   string
		renew  http.HandlerFunc
		left   int64 // seconds
		want   string
		err    error
		passes int // how often the server is asked by two
	}{
		{"OK", answer(201, `{"token":"`+fresh+`"}`), 600, fresh, nil, 1},
		{"OK/not due", answer(201, `{"token":"`+fresh+`"}`), 6000, old, nil, 0},
		{"OK/away", answer(503, `{"error_code":1102}`), 600, old, nil, 1},
		{"OK/a portal in between", answer(403, `<html>`), 600, old, nil, 1},
		{"OK/a gateway's own 401", answer(401, `{"error":"x"}`), 600, old, nil, 1},
		{"OK/no token", answer(201, `{"token":"x\nmachine github.com password evil"}`), 600, old, nil, 1},
		{"ErrEnded", answer(401, `{"error_code":1002,"msg":"token is invalid"}`), 600, "", ErrEnded, 2},
		{"ErrEnded/away and over", answer(503, `{"error_code":1102}`), -1, "", ErrEnded, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			l := stub(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				test.renew(w, r)
			})
			l.ExpiresAt = time.Now().Unix() + test.left
			w := keep(t, l)
			for range 2 {
				got, err := w.Fresh(t.Context(), AnyTarget())
				if !errors.Is(err, test.err) || err == nil && got.Token != test.want {
					t.Errorf("%q, %v", got.Token, err)
				}
			}
			if asked != test.passes {
				t.Errorf("the server was asked %d times, want %d", asked, test.passes)
			}
		})
	}
}

// TestInterruptedRenewal: a renewal that the server has begun is finished, so that its token is not lost.
func TestInterruptedRenewal(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	l := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		interrupt()
		_, _ = w.Write([]byte(`{"token":"` + strings.Repeat("b", 56) + `"}`))
	})
	w := keep(t, l)
	if got, err := w.Fresh(ctx, AnyTarget()); err != nil || got.Token != strings.Repeat("b", 56) {
		t.Errorf("%q, %v", got.Token, err)
	}
	if logins, err := w.Logins(); err != nil || logins[0].Token != strings.Repeat("b", 56) {
		t.Errorf("%v, %v", logins, err)
	}
}

// TestFullDisk: where a new token cannot be kept, none is asked for, and the present one is handed out.
func TestFullDisk(t *testing.T) {
	l := stub(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	w := keep(t, l)
	if err := os.WriteFile(w.path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(w.path)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 16, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Fresh(t.Context(), AnyTarget())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err != nil || got.Token != l.Token {
		t.Errorf("%q, %v", got.Token, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}
