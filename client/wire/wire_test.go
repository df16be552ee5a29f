package wire_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"latchkey/client/wire"
)

func TestIsToken(t *testing.T) {
	token := "MTc5NTQyMTA1MnxBQUFB_-" + strings.Repeat("0", 34)
	for _, test := range []struct {
		name, text     string
		form, alphabet bool
	}{
		{"OK", token, true, true},
		{"short", token[1:], false, true},
		{"long", token + "0", false, true},
		{"empty", "", false, true},
		{"standard base64", token[1:] + "+", false, false},
		{"padding", token[1:] + "=", false, false},
		{"colon", token[1:] + ":", false, false},
		{"newline", token[1:] + "\n", false, false},
		{"space", " " + token[1:], false, false},
		{"zero byte", token[1:] + "\x00", false, false},
		{"not ASCII", token[2:] + "é", false, false},
	} {
		if got := wire.IsToken(test.text); got != test.form {
			t.Errorf("%s: IsToken is %v", test.name, got)
		}
		if got := wire.HasTokenAlphabet(test.text); got != test.alphabet {
			t.Errorf("%s: HasTokenAlphabet is %v", test.name, got)
		}
	}
}

// TestCookieNames: each setting has its own name, with the prefix that makes browsers enforce it.
func TestCookieNames(t *testing.T) {
	for _, test := range []struct {
		secure, shared bool
		want           string
	}{
		{false, false, "latchkey"},
		{false, true, "latchkey-domain"},
		{true, false, "__Host-latchkey"},
		{true, true, "__Secure-latchkey"},
	} {
		got := wire.CookieName(test.secure, test.shared)
		if got != test.want || !wire.IsCookieName(got) || !slices.Contains(wire.CookieNames(), got) {
			t.Errorf("%+v: %q", test, got)
		}
	}
	for _, name := range []string{"", "Latchkey", "latchkey2", "__Host-latchkey-domain", "session"} {
		if wire.IsCookieName(name) {
			t.Errorf("%q is taken for a cookie of Latchkey's", name)
		}
	}
}

// headers are those of a response that carries an identity.
func headers(i wire.Identity) http.Header {
	h := http.Header{}
	i.SetHeaders(h)
	return h
}

func TestIdentity(t *testing.T) {
	for _, want := range []wire.Identity{
		{UID: 7, Account: "ann@example.com", Type: 100, Scope: "UserScope", TokenID: "7-1795421052-0"},
		{UID: 1<<32 - 1, Account: "13800000000", Type: 101, Scope: "read", TokenID: "1-1-1"},
	} {
		if got, err := wire.ParseIdentity(headers(want)); err != nil || got != want {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
}

// TestBrokenIdentity: an identity with a missing, repeated or malformed header is nobody's.
func TestBrokenIdentity(t *testing.T) {
	whole := wire.Identity{UID: 7, Account: "ann@example.com", Type: 100, Scope: "UserScope",
		TokenID: "7-1-0"}
	reject := func(name string, change func(http.Header)) {
		t.Helper()
		h := headers(whole)
		change(h)
		got, err := wire.ParseIdentity(h)
		if !errors.Is(err, wire.ErrUnavailable) || got != (wire.Identity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	names := []string{"X-Auth-Uid", "X-Auth-Account", "X-Auth-Type", "X-Auth-Scope", "X-Auth-Token-Id"}
	for _, name := range names {
		reject("no "+name, func(h http.Header) { h.Del(name) })
		reject("empty "+name, func(h http.Header) { h.Set(name, "") })
		reject("two of "+name, func(h http.Header) { h.Add(name, h.Get(name)) })
	}
	for _, number := range []string{"1a", "-1", "4294967296", "1.0", " 1"} {
		reject("uid "+number, func(h http.Header) { h.Set("X-Auth-Uid", number) })
	}
	reject("type x", func(h http.Header) { h.Set("X-Auth-Type", "x") })
}

// TestIsScripted: programs and navigation get a challenge, a page's scripts and images do not.
func TestIsScripted(t *testing.T) {
	for _, test := range []struct {
		name, header, value string
		want                bool
	}{
		{"program", "User-Agent", "curl/8", false},
		{"navigation", "Sec-Fetch-Mode", "navigate", false},
		{"document", "Sec-Fetch-Dest", "document", false},
		{"fetch", "Sec-Fetch-Dest", "empty", true},
		{"fetch with CORS", "Sec-Fetch-Mode", "cors", true},
		{"image", "Sec-Fetch-Mode", "no-cors", true},
		{"websocket", "Sec-Fetch-Mode", "websocket", true},
		{"XMLHttpRequest of a library", "X-Requested-With", "XMLHttpRequest", true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set(test.header, test.value)
		if got := wire.IsScripted(r); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
