package guard_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/client/guard"
	"latchkey/client/wire"
)

// server answers /v1/verify as Latchkey does, for the tokens "ann" and "bob"; asked counts the questions.
type server struct {
	*httptest.Server
	asked atomic.Int64
	seen  atomic.Pointer[http.Request]
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.seen.Store(r)
		name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		cookie, err := r.Cookie("latchkey")
		if err == nil {
			name = cookie.Value
		}
		switch {
		case name == "old":
			w.WriteHeader(401)
			fmt.Fprint(w, `{"error_code":1002,"msg":"token is expired"}`)
		case name != "ann" && name != "bob":
			w.WriteHeader(401)
		case r.URL.RawQuery == "scope=more":
			w.WriteHeader(403)
		default:
			h := w.Header()
			h.Set("X-Auth-Uid", "7")
			h.Set("X-Auth-Account", name)
			h.Set("X-Auth-Type", "100")
			h.Set("X-Auth-Scope", "UserScope")
			h.Set("X-Auth-Token-Id", "7-1-0")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) remote(t *testing.T, o guard.Options) *guard.Remote {
	t.Helper()
	v, err := guard.NewRemote(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// carrying is a request with an Authorization header for each credential.
func carrying(t *testing.T, credentials ...string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil)
	for _, c := range credentials {
		r.Header.Add("Authorization", "Bearer "+c)
	}
	return r
}

// TestRemoteRemembers: good answers are used again, each for its own question; bad ones are not.
func TestRemoteRemembers(t *testing.T) {
	s := newServer(t)
	v := s.remote(t, guard.Options{CacheFor: time.Hour})
	steps := []struct {
		name    string
		request *http.Request
		scope   string
		asked   int64
		account string
		err     error
	}{
		{"OK/first", carrying(t, "ann"), "", 1, "ann", nil},
		{"OK/again", carrying(t, "ann"), "", 0, "ann", nil},
		{"OK/another token", carrying(t, "bob"), "", 1, "bob", nil},
		{"OK/a scope", carrying(t, "ann"), "read", 1, "ann", nil},
		{"ErrScope", carrying(t, "ann"), "more", 1, "", wire.ErrScope},
		{"ErrScope/again", carrying(t, "ann"), "more", 1, "", wire.ErrScope},
		{"ErrInvalid", carrying(t, "eve"), "", 1, "", wire.ErrTokenInvalid},
		{"ErrInvalid/again", carrying(t, "eve"), "", 1, "", wire.ErrTokenInvalid},
		{"ErrInvalid/none", carrying(t), "", 0, "", wire.ErrTokenInvalid},
		{"ErrExpired", carrying(t, "old"), "", 1, "", wire.ErrTokenExpired},
		{"OK/two headers are another question", carrying(t, "ann", "bob"), "", 1, "ann", nil},
	}
	for _, step := range steps {
		before := s.asked.Load()
		i, err := v.Verify(step.request, step.scope)
		if !errors.Is(err, step.err) || i.Account != step.account || s.asked.Load()-before != step.asked {
			t.Errorf("%s: %+v, %v after %d questions", step.name, i, err, s.asked.Load()-before)
		}
	}
	want := wire.Identity{UID: 7, Account: "ann", Type: 100, Scope: "UserScope", TokenID: "7-1-0"}
	if got, err := v.Verify(carrying(t, "ann"), ""); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRemoteForgets: an answer is used no longer than it was said, not at all if so wished, and few are kept.
func TestRemoteForgets(t *testing.T) {
	s := newServer(t)
	for name, o := range map[string]guard.Options{
		"never": {CacheFor: -1}, "at once": {CacheFor: time.Nanosecond}, "full": {CacheFor: time.Hour, CacheSize: 1},
	} {
		v := s.remote(t, o)
		before := s.asked.Load()
		for range 3 {
			for _, who := range []string{"ann", "bob"} {
				if _, err := v.Verify(carrying(t, who), ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := s.asked.Load() - before; got != 6 {
			t.Errorf("%s: %d questions, want 6", name, got)
		}
	}
}

// TestRemotePassesOn: Latchkey is told the credentials and where they came from, and nothing else.
func TestRemotePassesOn(t *testing.T) {
	s := newServer(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/x?scope=less", strings.NewReader("body"))
	r.Header = http.Header{"Cookie": {"a=b; latchkey=ann; c=d", "__Host-latchkey=x"}, "X-Auth-Uid": {"1"},
		"X-Forwarded-For": {"10.0.0.1"}, "Referer": {"https://x.example/"}}
	if _, err := s.remote(t, guard.Options{Secure: true}).Verify(r, "read"); err != nil {
		t.Fatal(err)
	}
	seen := s.seen.Load()
	for name, want := range map[string]string{"Cookie": "latchkey=ann; __Host-latchkey=x", "X-Auth-Uid": "", "Referer": "",
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"} {
		if got := strings.Join(seen.Header.Values(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if seen.Method != "GET" || seen.URL.String() != "/v1/verify?scope=read" {
		t.Errorf("%s %s", seen.Method, seen.URL)
	}
}

// TestRemoteFailsClosed: whatever is no answer of Latchkey's lets nobody in.
func TestRemoteFailsClosed(t *testing.T) {
	identity := func(change func(http.Header)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"X-Auth-Uid", "X-Auth-Account", "X-Auth-Type", "X-Auth-Scope", "X-Auth-Token-Id"} {
				w.Header().Set(name, "1")
			}
			change(w.Header())
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/v1/other")
			identity(func(http.Header) {})(w, nil)
			w.WriteHeader(code)
		}
	}
	tests := map[string]http.HandlerFunc{
		"no headers": func(http.ResponseWriter, *http.Request) {},
		"no uid":     identity(func(h http.Header) { h.Del("X-Auth-Uid") }),
		"two uids":   identity(func(h http.Header) { h.Add("X-Auth-Uid", "2") }),
		"empty uid":  identity(func(h http.Header) { h.Set("X-Auth-Uid", "") }),
		"no number":  identity(func(h http.Header) { h.Set("X-Auth-Uid", "1a") }),
		"too large":  identity(func(h http.Header) { h.Set("X-Auth-Uid", "4294967296") }),
		"no scope":   identity(func(h http.Header) { h.Del("X-Auth-Scope") }), "303": status(303), "500": status(500),
		"503": status(503), "204": status(204), "404": status(404),
		"broken off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			v, err := guard.NewRemote(s.URL, guard.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if i, err := v.Verify(carrying(t, "ann"), ""); !errors.Is(err, wire.ErrUnavailable) {
				t.Errorf("%+v, %v", i, err)
			}
		})
	}
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://a b"} {
		if _, err := guard.NewRemote(address, guard.Options{}); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

// verdict is a Verifier of one answer.
type verdict struct{ err error }

func (v verdict) Verify(*http.Request, string) (wire.Identity, error) {
	return wire.Identity{UID: 7}, v.err
}

// TestRequire: each refusal has its status, and a fault, of whatever kind, lets nobody in and tells nothing.
func TestRequire(t *testing.T) {
	for _, test := range []struct {
		err          error
		status, code int
	}{
		{nil, 200, 0}, {wire.ErrTokenInvalid, 401, 1002}, {fmt.Errorf("why: %w", wire.ErrTokenExpired), 401, 1002},
		{wire.ErrScope, 403, 1004}, {wire.ErrUnavailable, 503, 1102}, {errors.New("disk on fire"), 503, 1102},
	} {
		w := httptest.NewRecorder()
		reached := false
		guard.Require(verdict{test.err}, "")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			i, ok := guard.IdentityFrom(r.Context())
			reached = ok && i.UID == 7
		})).ServeHTTP(w, carrying(t, "ann"))
		var body struct {
			ErrorCode int    `json:"error_code"`
			Request   string `json:"request"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); test.err != nil && (err != nil || body.Request != "GET /x") {
			t.Errorf("%v: %s", test.err, w.Body)
		}
		if w.Code != test.status || body.ErrorCode != test.code || reached != (test.err == nil) ||
			strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%v: %d %s, reached: %v", test.err, w.Code, w.Body, reached)
		}
	}
	if _, ok := guard.IdentityFrom(t.Context()); ok {
		t.Error("somebody is found where nobody was let in")
	}
}
