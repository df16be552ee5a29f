package handlers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"latchkey/auth"
)

// wayIn is one way to log in: the request, and the status of its success.
type wayIn struct {
	request func(account, secret string) *http.Request
	success int
	refused int // for one try too many
}

func waysIn() map[string]wayIn {
	basic := func(account, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(account+":"+secret))
	}
	return map[string]wayIn{
		"JSON": {func(account, secret string) *http.Request {
			return bodyRequest("application/json", fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, secret))
		}, http.StatusCreated, http.StatusTooManyRequests},
		"Basic": {func(account, secret string) *http.Request {
			r := httptest.NewRequest("POST", "/v1/token", nil)
			r.Header.Set("Authorization", basic(account, secret))
			return r
		}, http.StatusCreated, http.StatusTooManyRequests},
		"form": {func(account, secret string) *http.Request {
			form := url.Values{"account": {account}, "secret": {secret}}.Encode()
			r := httptest.NewRequest("POST", "/login", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, http.StatusSeeOther, http.StatusTooManyRequests},
		"bridge": {func(account, secret string) *http.Request {
			r := httptest.NewRequest("GET", "/v1/verify", nil)
			r.Header.Set("Authorization", basic(account, secret))
			return r
		}, http.StatusOK, http.StatusUnauthorized},
	}
}

func (h *house) send(r *http.Request, address string) *httptest.ResponseRecorder {
	r.RemoteAddr = address
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

// guessingHouse is a house with a bridge.
func guessingHouse(t *testing.T, configure ...func(*Config)) *house {
	return newHouse(t, auth.Options{}, append(configure, func(c *Config) {
		bridge, err := auth.NewBridge(c.Authority)
		must(t, err)
		c.Bridge = bridge
	})...)
}

// TestEveryWayInIsLimited: tries used up by one way are used up for all.
func TestEveryWayInIsLimited(t *testing.T) {
	for guessed, guess := range waysIn() {
		t.Run(guessed, func(t *testing.T) {
			h := guessingHouse(t)
			_, account, _ := h.newcomer()
			for range 10 {
				if w := h.send(guess.request(account, "wrong-1"), "192.0.2.1:1"); w.Code == guess.success ||
					w.Code == http.StatusTooManyRequests {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			for name, way := range waysIn() {
				w := h.send(way.request(account, "secret1"), "192.0.2.1:2")
				if w.Code != way.refused {
					t.Errorf("%s: %d %s", name, w.Code, w.Body)
				}
				if after := w.Header().Get("Retry-After"); w.Code == 429 && after != "10" {
					t.Errorf("%s: Retry-After: %s", name, after)
				}
				if w := h.send(way.request(account, "secret1"), "192.0.2.2:1"); w.Code != way.success {
					t.Errorf("%s, from elsewhere: %d %s", name, w.Code, w.Body)
				}
			}
		})
	}
}

// TestForgedAddresses: ten thousand forged addresses are one, unless a trusted proxy tells them.
func TestForgedAddresses(t *testing.T) {
	tests := map[string]struct {
		trusted []netip.Prefix
		looked  int // at how many secrets
	}{
		"by a stranger":      {nil, 10},
		"by a trusted proxy": {[]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := guessingHouse(t, func(c *Config) { c.TrustedProxies = test.trusted })
			_, account, _ := h.newcomer()
			tries, looked := 10_000, 0
			if test.trusted != nil {
				tries = test.looked
			}
			for n := range tries {
				r := waysIn()["JSON"].request(account, "wrong-1")
				for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"} {
					r.Header.Set(header, fmt.Sprintf("10.%d.%d.1", n/250, n%250))
				}
				if w := h.send(r, "192.0.2.1:1"); w.Code == http.StatusUnauthorized {
					looked++
				}
			}
			if looked != test.looked {
				t.Errorf("%d secrets were looked at, want %d", looked, test.looked)
			}
		})
	}
}

// TestRefusalsAreAlike: what a refused login says tells nothing of whether its account exists: headers and page are the
// same to the byte, at any number of tries. Only the API's status does, unless accounts are hidden.
func TestRefusalsAreAlike(t *testing.T) {
	h := guessingHouse(t, func(c *Config) { c.HideAccounts = true })
	uid, off, _ := h.newcomer()
	_, known, _ := h.newcomer()
	h.with(h.admin, "PUT", fmt.Sprintf("/v1/user/%d", uid), `{"state":"disabled"}`, 200)
	accounts := []string{known, off, "nobody@example.com"}
	for way, ask := range waysIn() {
		for try := range 12 {
			var first string
			for n, account := range accounts {
				w := h.send(ask.request(account, "wrong-1"), fmt.Sprintf("192.0.2.%d:1", 10+len(way)*3+n))
				w.Header().Del("X-Request-Id")
				got := fmt.Sprintf("%d %v %s", w.Code, w.Header(), strings.ReplaceAll(w.Body.String(), account, "ACCOUNT"))
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("%s, try %d, %s:\n%s\n%s", way, try+1, account, got, first)
				}
			}
		}
	}
}

// TestLimitHeaders: a refused login says how many tries are left, a right one nothing.
func TestLimitHeaders(t *testing.T) {
	h := guessingHouse(t)
	_, account, _ := h.newcomer()
	ask := waysIn()["JSON"].request
	w := h.send(ask(account, "wrong-1"), "192.0.2.1:1")
	if got := w.Header().Get("RateLimit"); got != `"login";r=9;t=8640` {
		t.Errorf("RateLimit: %s", got)
	}
	if got := w.Header().Get("RateLimit-Policy"); got != `"login";q=10;w=86400` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
	if w := h.send(ask(account, "secret1"), "192.0.2.1:1"); w.Code != 201 || w.Header().Get("RateLimit") != "" {
		t.Errorf("%d, RateLimit: %s", w.Code, w.Header().Get("RateLimit"))
	}
	for range 10 {
		w = h.send(ask(account, "wrong-1"), "192.0.2.1:1")
	}
	if got := w.Header().Get("RateLimit"); w.Code != 401 || got != `"login";r=0;t=10` {
		t.Errorf("the last: %d, %s", w.Code, got)
	}
	w = h.send(ask(account, "secret1"), "192.0.2.1:1")
	want := `{"error_code":1101,"msg":"too many wrong tries, please wait","request":"POST /v1/token"}`
	if strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%s", w.Body)
	}
}

// TestKnownBrowser: a browser that has logged in once gets in while a stranger in its network uses up every try, also
// after signing out and after its owner has set the secret anew.
func TestKnownBrowser(t *testing.T) {
	h := guessingHouse(t)
	uid, account, _ := h.newcomer()
	form := waysIn()["form"].request
	device := deviceOf(t, h.send(form(account, "secret1"), "192.0.2.1:1"))
	reset := h.with(h.admin, "POST", fmt.Sprintf("/v1/user/%d/secret", uid), "", 201)
	link, err := url.Parse(reset["link"].(string))
	must(t, err)
	answer := url.Values{"token": {link.Query().Get("token")}, "secret": {"secret1"}}.Encode()
	r := httptest.NewRequest("POST", "/reset", strings.NewReader(answer))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	another := deviceOf(t, h.send(r, "192.0.2.1:1"))
	for range 20 {
		h.send(form(account, "wrong-1"), "192.0.2.1:1")
	}
	for name, test := range map[string]struct {
		cookie *http.Cookie
		want   int
	}{"stranger": {&http.Cookie{Name: "x"}, 429}, "logged in before": {device, 303}, "set the secret": {another, 303}} {
		r := form(account, "secret1")
		r.AddCookie(test.cookie)
		if w := h.send(r, "192.0.2.1:1"); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func deviceOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	for _, cookie := range w.Result().Cookies() {
		if cookie.Name == "latchkey-device" {
			if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 400*24*3600 {
				t.Errorf("%v", cookie)
			}
			return cookie
		}
	}
	t.Fatalf("no device cookie: %d %s", w.Code, w.Body)
	return nil
}

// TestOldSecretIsLimited: whoever has a stolen token cannot try out the secret either, by no number of tokens.
func TestOldSecretIsLimited(t *testing.T) {
	h := guessingHouse(t)
	_, _, token := h.newcomer()
	statuses := map[int]int{}
	for range 15 {
		w := h.ask("PUT", "/v1/user/secret", `{"old":"wrong-1","new":"secret2"}`, "Authorization: Bearer "+token)
		statuses[w.Code]++
		token = h.with(token, "POST", "/v1/token/renew", "", 201)["token"].(string)
	}
	if statuses[400] != 10 || statuses[429] != 5 {
		t.Errorf("%v", statuses)
	}
}

// TestProxyIsWarnedOf: a proxy on this machine that is not trusted is named in the log, once.
func TestProxyIsWarnedOf(t *testing.T) {
	tests := map[string]struct {
		address, header string
		trusted         []netip.Prefix
		want            int
	}{
		"untrusted":      {"127.0.0.1:1", "10.0.0.1", nil, 1},
		"trusted":        {"127.0.0.1:1", "10.0.0.1", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, 0},
		"no proxy":       {"127.0.0.1:1", "", nil, 0},
		"forged by some": {"192.0.2.1:1", "10.0.0.1", nil, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			h := newHouse(t, auth.Options{}, func(c *Config) {
				c.TrustedProxies, c.Logger = test.trusted, slog.New(slog.NewTextHandler(&log, nil))
			})
			for range 3 {
				r := waysIn()["JSON"].request("ann@example.com", "secret1")
				if test.header != "" {
					r.Header.Set("X-Forwarded-For", test.header)
				}
				h.send(r, test.address)
			}
			if got := strings.Count(log.String(), "--trusted-proxy"); got != test.want {
				t.Errorf("%d warnings, want %d: %s", got, test.want, log.String())
			}
		})
	}
}
