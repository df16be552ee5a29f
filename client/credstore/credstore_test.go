package credstore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The token of every login at first, and the one that a renewal gives.
var (
	oldToken = strings.Repeat("a", 56)
	newToken = strings.Repeat("b", 56)
)

// respond is a handler that gives one response.
func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stub starts a server with a handler for renewals, and returns a login there. The login expires in
// 600 s and is therefore due; every other token lives for two hours.
func stub(t *testing.T, renew http.HandlerFunc) Login {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/token/renew", renew)
	mux.HandleFunc("POST /v1/token/secret", respond(200, `{"create_at":100,"expire_in":7300}`))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return Login{URL: s.URL, Account: "ann@example.com", Token: oldToken, Hosts: []string{"a.example"},
		ExpiresAt: time.Now().Unix() + 600, Lifetime: 7200}
}

// newStore returns a store that holds logins.
func newStore(t *testing.T, logins ...Login) *Store {
	t.Helper()
	s := New(filepath.Join(t.TempDir(), "tokens.json"))
	if err := s.write(logins); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRenewal: only Latchkey's own response ends a login early, only text in the form of a token is
// taken for one, and a server that cannot renew is not asked again at once.
func TestRenewal(t *testing.T) {
	renewed := respond(201, `{"token":"`+newToken+`"}`)
	tests := []struct {
		name      string
		renew     http.HandlerFunc
		remaining int64 // seconds
		want      string
		err       error
		requests  int64 // of two calls
	}{
		{"OK", renewed, 600, newToken, nil, 1},
		{"OK/not due", renewed, 6000, oldToken, nil, 0},
		{"OK/busy", respond(503, `{"error_code":1102}`), 600, oldToken, nil, 1},
		{"OK/a captive portal", respond(403, `<html>`), 600, oldToken, nil, 1},
		{"OK/a gateway's own 401", respond(401, `{"error":"x"}`), 600, oldToken, nil, 1},
		{"OK/no token", respond(201, `{"token":"x\nmachine github.com password evil"}`), 600,
			oldToken, nil, 1},
		{"ErrLoginExpired", respond(401, `{"error_code":1002,"msg":"token is invalid"}`), 600, "",
			ErrLoginExpired, 2},
		{"ErrLoginExpired/busy, then expired", respond(503, `{"error_code":1102}`), -1, "",
			ErrLoginExpired, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int64
			l := stub(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				test.renew(w, r)
			})
			l.ExpiresAt = time.Now().Unix() + test.remaining
			s := newStore(t, l)
			for range 2 {
				got, err := s.LoginFor(t.Context(), AnyTarget())
				if !errors.Is(err, test.err) || err == nil && got.Token != test.want {
					t.Errorf("%q, %v", got.Token, err)
				}
			}
			if requests.Load() != test.requests {
				t.Errorf("%d requests, want %d", requests.Load(), test.requests)
			}
		})
	}
}

// TestParallelRenewal: parallel callers renew a token once, and all get the new one.
func TestParallelRenewal(t *testing.T) {
	var requests atomic.Int64
	l := stub(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		respond(201, `{"token":"`+newToken+`"}`)(w, r)
	})
	path := newStore(t, l).path
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { // each with a lock of its own, like a process
			if got, err := New(path).LoginFor(t.Context(), AnyTarget()); got.Token != newToken {
				t.Errorf("%q, %v", got.Token, err)
			}
		})
	}
	wait.Wait()
	if requests.Load() != 1 {
		t.Errorf("%d renewals", requests.Load())
	}
}

// TestInterruptedRenewal: an interrupt during a renewal does not lose the new token.
func TestInterruptedRenewal(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	l := stub(t, func(w http.ResponseWriter, r *http.Request) {
		interrupt()
		respond(201, `{"token":"`+newToken+`"}`)(w, r)
	})
	s := newStore(t, l)
	if got, err := s.LoginFor(ctx, AnyTarget()); err != nil || got.Token != newToken {
		t.Errorf("%q, %v", got.Token, err)
	}
	if logins, err := s.Logins(); err != nil || logins[0].Token != newToken {
		t.Errorf("%v, %v", logins, err)
	}
	if _, err := s.LoginFor(ctx, AnyTarget()); !errors.Is(err, context.Canceled) {
		t.Errorf("after the interrupt: %v", err)
	}
}

// TestNoLock: where nothing can be stored, the present token is returned and none is asked for.
func TestNoLock(t *testing.T) {
	s := newStore(t, stub(t, func(http.ResponseWriter, *http.Request) { t.Error("a renewal") }))
	if err := os.Mkdir(s.path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoginFor(t.Context(), AnyTarget()); err != nil || got.Token != oldToken {
		t.Errorf("%q, %v", got.Token, err)
	}
	if _, err := s.LogOut(t.Context(), ""); !errors.Is(err, ErrFile) {
		t.Errorf("logout: %v", err)
	}
}

// TestServerMessages: a failed login says why in one line that a terminal can show.
func TestServerMessages(t *testing.T) {
	for name, test := range map[string]struct {
		response http.HandlerFunc
		want     string
	}{
		"a text": {respond(429, `{"error_code":1101,"msg":"too many"}`), "with status 429: too many"},
		"fields": {respond(400, `{"error_code":1000,"msg":{"type":["b","c"],"account":["a"]}}`),
			"with status 400: account: a; type: b c"},
		"control characters": {respond(400, `{"msg":"a\u001b[31m\nb`+"\u009b"+`c"}`), "400: a [31m b c"},
		"a long text":        {respond(400, `{"msg":"`+strings.Repeat("x", 9000)+`"}`), "400: xxx"},
		"wrong password":     {respond(401, `{"error_code":1005}`), "account or the password is wrong"},
		"another server":     {respond(200, `<html>`), "is not a Latchkey server"},
		"no token":           {respond(200, `{"token":"a\u001b"}`), "sent no token"},
	} {
		s := httptest.NewServer(test.response)
		store := New(filepath.Join(t.TempDir(), "latchkey", "tokens.json"))
		_, err := store.LogIn(t.Context(), Login{URL: s.URL, Account: "ann@example.com"}, "secret1")
		s.Close()
		if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 300 ||
			strings.ContainsAny(err.Error(), "\x1b\n\u009b") {
			t.Errorf("%s: %q, want %q", name, err, test.want)
		}
	}
}

// TestDefaultPath: the file is where programs of each system keep such files.
func TestDefaultPath(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	t.Setenv("XDG_CONFIG_HOME", "")
	dir := map[string]string{"darwin": "Library/Application Support", "windows": ""}
	below, known := dir[runtime.GOOS]
	if !known {
		below = ".config"
	}
	got, err := DefaultPath()
	if want := filepath.Join(home, below, "latchkey", "tokens.json"); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
