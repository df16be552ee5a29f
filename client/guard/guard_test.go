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

// server responds to /v1/verify as Latchkey does, and knows the tokens "ann", "bob" and, expired,
// "old".
type server struct {
	*httptest.Server
	requests atomic.Int64
	last     atomic.Pointer[http.Request]
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP verifies the token of one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.last.Store(r)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if cookie, err := r.Cookie("latchkey"); err == nil {
		token = cookie.Value
	}
	switch {
	case token == "old":
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error_code":1002,"msg":"token is expired"}`)
	case token != "ann" && token != "bob":
		w.WriteHeader(401)
	case r.URL.RawQuery == "scope=more":
		w.WriteHeader(403)
	default:
		identityOf(token).SetHeaders(w.Header())
	}
}

func identityOf(account string) wire.Identity {
	return wire.Identity{UID: 7, Account: account, Type: 100, Scope: "UserScope", TokenID: "7-1-0"}
}

// remote returns a Remote that waits for the server as long as that takes.
func (s *server) remote(t *testing.T, o guard.Options) *guard.Remote {
	t.Helper()
	o.Client = s.Client()
	v, err := guard.NewRemote(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// bearing returns a request with an Authorization header for each token.
func bearing(t *testing.T, tokens ...string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil)
	for _, token := range tokens {
		r.Header.Add("Authorization", "Bearer "+token)
	}
	return r
}

// TestRemoteCaches: identities are cached by all credentials and the scope; rejections are not.
func TestRemoteCaches(t *testing.T) {
	s := newServer(t)
	v := s.remote(t, guard.Options{CacheFor: time.Hour})
	for _, step := range []struct {
		name     string
		request  *http.Request
		scope    string
		requests int64
		account  string
		err      error
	}{
		{"OK", bearing(t, "ann"), "", 1, "ann", nil},
		{"OK/again", bearing(t, "ann"), "", 0, "ann", nil},
		{"OK/another token", bearing(t, "bob"), "", 1, "bob", nil},
		{"OK/another scope", bearing(t, "ann"), "read", 1, "ann", nil},
		{"ErrScope", bearing(t, "ann"), "more", 1, "", wire.ErrScope},
		{"ErrScope/again", bearing(t, "ann"), "more", 1, "", wire.ErrScope},
		{"ErrTokenInvalid", bearing(t, "eve"), "", 1, "", wire.ErrTokenInvalid},
		{"ErrTokenInvalid/again", bearing(t, "eve"), "", 1, "", wire.ErrTokenInvalid},
		{"ErrTokenInvalid/no token", bearing(t), "", 0, "", wire.ErrTokenInvalid},
		{"ErrTokenExpired", bearing(t, "old"), "", 1, "", wire.ErrTokenExpired},
		{"OK/two headers", bearing(t, "ann", "bob"), "", 1, "ann", nil},
	} {
		before := s.requests.Load()
		i, err := v.Verify(step.request, step.scope)
		sent := s.requests.Load() - before
		if !errors.Is(err, step.err) || i.Account != step.account || sent != step.requests {
			t.Errorf("%s: %+v, %v after %d requests", step.name, i, err, sent)
		}
	}
	if got, err := v.Verify(bearing(t, "ann"), ""); err != nil || got != identityOf("ann") {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRemoteCacheEnds: an identity leaves the cache when its time is over or the cache is full.
func TestRemoteCacheEnds(t *testing.T) {
	s := newServer(t)
	for name, o := range map[string]guard.Options{
		"off": {CacheFor: -1}, "expired": {CacheFor: time.Nanosecond},
		"full": {CacheFor: time.Hour, CacheSize: 1},
	} {
		v := s.remote(t, o)
		before := s.requests.Load()
		for range 3 {
			for _, token := range []string{"ann", "bob"} {
				if _, err := v.Verify(bearing(t, token), ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := s.requests.Load() - before; got != 6 {
			t.Errorf("%s: %d requests, want 6", name, got)
		}
	}
}

// TestRemoteForwards: the server gets the credentials and where they came from, and nothing else.
func TestRemoteForwards(t *testing.T) {
	s := newServer(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/x?scope=less",
		strings.NewReader("body"))
	r.Header = http.Header{"Cookie": {"a=b; latchkey=ann; c=d", "__Host-latchkey=x"},
		"X-Auth-Uid": {"1"}, "X-Forwarded-For": {"10.0.0.1"}, "Referer": {"https://x.example/"}}
	if _, err := s.remote(t, guard.Options{Secure: true}).Verify(r, "read"); err != nil {
		t.Fatal(err)
	}
	got := s.last.Load()
	for name, want := range map[string]string{"Cookie": "latchkey=ann; __Host-latchkey=x",
		"X-Auth-Uid": "", "Referer": "", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"} {
		if got := strings.Join(got.Header.Values(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got.Method != "GET" || got.URL.String() != "/v1/verify?scope=read" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
}

// TestRemoteScopes: no scope means UserScope, also to the server and in the cache.
func TestRemoteScopes(t *testing.T) {
	s := newServer(t)
	v := s.remote(t, guard.Options{CacheFor: time.Hour})
	for _, step := range []struct {
		scope, query string
		requests     int64
	}{
		{"", "scope=UserScope", 1}, {"UserScope", "scope=UserScope", 0},
		{guard.AnyScope, "scope=any", 1}, {"read", "scope=read", 1},
	} {
		before := s.requests.Load()
		if _, err := v.Verify(bearing(t, "ann"), step.scope); err != nil {
			t.Fatal(err)
		}
		if got := s.last.Load().URL.RawQuery; got != step.query ||
			s.requests.Load()-before != step.requests {
			t.Errorf("%q: the server got %q after %d requests", step.scope, got,
				s.requests.Load()-before)
		}
	}
}

// identify returns a handler that sends an identity after a change to its headers, with a status.
func identify(status int, change func(http.Header)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		identityOf("ann").SetHeaders(w.Header())
		w.Header().Set("Location", "/v1/other")
		change(w.Header())
		w.WriteHeader(status)
	}
}

// TestRemoteFailsClosed: a response that Latchkey does not send lets nobody in.
func TestRemoteFailsClosed(t *testing.T) {
	unchanged := func(http.Header) {}
	for name, handler := range map[string]http.HandlerFunc{
		"no headers": func(http.ResponseWriter, *http.Request) {},
		"no uid":     identify(200, func(h http.Header) { h.Del("X-Auth-Uid") }),
		"two uids":   identify(200, func(h http.Header) { h.Add("X-Auth-Uid", "2") }),
		"303":        identify(303, unchanged), "500": identify(500, unchanged),
		"503": identify(503, unchanged), "204": identify(204, unchanged), "404": identify(404, unchanged),
		"aborted": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			v, err := guard.NewRemote(s.URL, guard.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if i, err := v.Verify(bearing(t, "ann"), ""); !errors.Is(err, wire.ErrUnavailable) {
				t.Errorf("%+v, %v", i, err)
			}
		})
	}
	for _, address := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://a b",
		"http://u:p@x"} {
		if _, err := guard.NewRemote(address, guard.Options{}); err == nil {
			t.Errorf("%q is taken for the URL of a server", address)
		}
	}
}

// result is a Verifier with one result.
type result struct{ err error }

func (v result) Verify(*http.Request, string) (wire.Identity, error) {
	return wire.Identity{UID: 7}, v.err
}

// TestRequire: each rejection has its status. An unknown error lets nobody in and stays secret.
func TestRequire(t *testing.T) {
	for _, test := range []struct {
		err          error
		status, code int
		headers      string
	}{
		{nil, 200, 0, ""},
		{wire.ErrTokenInvalid, 401, 1002, wire.Challenge},
		{fmt.Errorf("why: %w", wire.ErrTokenExpired), 401, 1002, wire.Challenge},
		{wire.ErrScope, 403, 1004, ""},
		{wire.ErrUnavailable, 503, 1102, "1"},
		{errors.New("disk on fire"), 503, 1102, "1"},
	} {
		w := httptest.NewRecorder()
		reached := false
		next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			i, ok := guard.IdentityFrom(r.Context())
			reached = ok && i.UID == 7
		})
		guard.Require(result{test.err}, "")(next).ServeHTTP(w, bearing(t, "ann"))
		var body struct {
			ErrorCode int    `json:"error_code"`
			Request   string `json:"request"`
		}
		err := json.Unmarshal(w.Body.Bytes(), &body)
		if test.err != nil && (err != nil || body.Request != "GET /x") {
			t.Errorf("%v: %s", test.err, w.Body)
		}
		if w.Code != test.status || body.ErrorCode != test.code || reached != (test.err == nil) ||
			strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%v: %d %s, reached: %v", test.err, w.Code, w.Body, reached)
		}
		got := w.Header().Get("WWW-Authenticate") + w.Header().Get("Retry-After")
		if got != test.headers {
			t.Errorf("%v: %q, want %q", test.err, got, test.headers)
		}
	}
	if _, ok := guard.IdentityFrom(t.Context()); ok {
		t.Error("an identity outside of Require")
	}
}

// TestRequireOfScripts: a page's script gets no challenge.
func TestRequireOfScripts(t *testing.T) {
	w, r := httptest.NewRecorder(), bearing(t, "ann")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	guard.Require(result{wire.ErrTokenInvalid}, "")(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 401 || w.Header().Values("WWW-Authenticate") != nil {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}
