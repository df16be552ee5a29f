package handlers

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"latchkey/auth"
)

// loginWay is one way to log in.
type loginWay struct {
	request func(account, password string) *http.Request
	success int // status
	limited int // status of one attempt too many
}

func loginWays() map[string]loginWay {
	basic := func(account, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(account+":"+password))
	}
	return map[string]loginWay{
		"JSON": {func(account, password string) *http.Request {
			return bodyRequest("application/json",
				fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, password))
		}, http.StatusCreated, http.StatusTooManyRequests},
		"Basic": {func(account, password string) *http.Request {
			r := httptest.NewRequest("POST", "/v1/token", nil)
			r.Header.Set("Authorization", basic(account, password))
			return r
		}, http.StatusCreated, http.StatusTooManyRequests},
		"form": {func(account, password string) *http.Request {
			form := url.Values{"account": {account}, "secret": {password}}.Encode()
			r := httptest.NewRequest("POST", "/login", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, http.StatusSeeOther, http.StatusTooManyRequests},
		"bridge": {func(account, password string) *http.Request {
			r := httptest.NewRequest("GET", "/v1/verify", nil)
			r.Header.Set("Authorization", basic(account, password))
			return r
		}, http.StatusOK, http.StatusUnauthorized},
	}
}

// newBridgeHarness returns a harness with a bridge.
func newBridgeHarness(t *testing.T, configure ...func(*Config)) *harness {
	return newHarness(t, auth.Options{}, append(configure, func(c *Config) {
		bridge, err := auth.NewBridge(c.Authority)
		must(t, err)
		c.Bridge = bridge
	})...)
}

// TestEveryLoginIsLimited: all ways to log in share one limit.
func TestEveryLoginIsLimited(t *testing.T) {
	for name, guess := range loginWays() {
		t.Run(name, func(t *testing.T) {
			frozen(t, func(t *testing.T) { testLoginIsLimited(t, guess) })
		})
	}
}

func testLoginIsLimited(t *testing.T, guess loginWay) {
	h := newBridgeHarness(t)
	_, account, _ := h.newUser()
	for range 10 {
		w := h.send(guess.request(account, "wrong-1"), "192.0.2.1:1")
		if w.Code == guess.success || w.Code == http.StatusTooManyRequests {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for name, way := range loginWays() {
		w := h.send(way.request(account, "secret1"), "192.0.2.1:2")
		if w.Code != way.limited {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if after := w.Header().Get("Retry-After"); w.Code == 429 && after != "10" {
			t.Errorf("%s: Retry-After: %s", name, after)
		}
		w = h.send(way.request(account, "secret1"), "192.0.2.2:1")
		if w.Code != way.success {
			t.Errorf("%s, from another network: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestForgedAddresses: ten thousand forged addresses count as one, unless a trusted proxy sent
// them.
func TestForgedAddresses(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	tests := map[string]struct {
		trusted  []netip.Prefix
		attempts int
		checked  int // passwords that the server checked
	}{
		"from a stranger":      {nil, 10_000, 10},
		"from a trusted proxy": {proxy, 200, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			frozen(t, func(t *testing.T) {
				h := newBridgeHarness(t, func(c *Config) { c.TrustedProxies = test.trusted })
				if got := h.guessWithForgedAddresses(test.attempts); got != test.checked {
					t.Errorf("%d passwords were checked, want %d", got, test.checked)
				}
			})
		})
	}
}

// guessWithForgedAddresses sends wrong passwords, each with another client address in the headers,
// and returns how many of them the server checked.
func (h *harness) guessWithForgedAddresses(attempts int) (checked int) {
	_, account, _ := h.newUser()
	for n := range attempts {
		r := loginWays()["JSON"].request(account, "wrong-1")
		for _, header := range []string{
			"X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP",
		} {
			r.Header.Set(header, fmt.Sprintf("10.%d.%d.1", n/250, n%250))
		}
		if w := h.send(r, "192.0.2.1:1"); w.Code == http.StatusUnauthorized {
			checked++
		}
	}
	return checked
}

// TestRefusalsAreAlike: with --hide-accounts a failed login does not reveal whether its account
// exists. Status, headers and body are the same to the byte, at any number of attempts.
func TestRefusalsAreAlike(t *testing.T) { frozen(t, testRefusalsAreAlike) }

func testRefusalsAreAlike(t *testing.T) {
	h := newBridgeHarness(t, func(c *Config) { c.HideAccounts = true })
	uid, disabled, _ := h.newUser()
	_, known, _ := h.newUser()
	h.with(h.admin, "PUT", fmt.Sprintf("/v1/user/%d", uid), `{"state":"disabled"}`, 200)
	accounts := []string{known, disabled, "nobody@example.com"}
	for name, way := range loginWays() {
		for attempt := range 12 {
			var first string
			for n, account := range accounts {
				address := fmt.Sprintf("192.0.2.%d:1", 10+len(name)*3+n)
				w := h.send(way.request(account, "wrong-1"), address)
				w.Header().Del("X-Request-Id")
				body := strings.ReplaceAll(w.Body.String(), account, "ACCOUNT")
				got := fmt.Sprintf("%d %v %s", w.Code, w.Header(), body)
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("%s, attempt %d, %s:\n%s\n%s", name, attempt+1, account, got, first)
				}
			}
		}
	}
}

// TestRateLimitHeaders: a failed login says how many attempts remain; a successful one has no such
// header.
func TestRateLimitHeaders(t *testing.T) { frozen(t, testRateLimitHeaders) }

func testRateLimitHeaders(t *testing.T) {
	h := newBridgeHarness(t)
	_, account, _ := h.newUser()
	login := func(password string) *httptest.ResponseRecorder {
		return h.send(loginWays()["JSON"].request(account, password), "192.0.2.1:1")
	}
	w := login("wrong-1")
	if got := w.Header().Get("RateLimit"); got != `"login";r=9;t=8640` {
		t.Errorf("RateLimit: %s", got)
	}
	if got := w.Header().Get("RateLimit-Policy"); got != `"login";q=10;w=86400` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
	if w := login("secret1"); w.Code != 201 || w.Header().Get("RateLimit") != "" {
		t.Errorf("%d, RateLimit: %s", w.Code, w.Header().Get("RateLimit"))
	}
	for range 10 {
		w = login("wrong-1")
	}
	if got := w.Header().Get("RateLimit"); w.Code != 401 || got != `"login";r=0;t=10` {
		t.Errorf("the last: %d, %s", w.Code, got)
	}
	w = login("secret1")
	want := `{"error_code":1101,"msg":"too many failed attempts, please wait",` +
		`"request":"POST /v1/token"}`
	if strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%s", w.Body)
	}
}

// TestKnownBrowser: a browser that has logged in before can log in while a stranger in its network
// exhausts the limit, and so can the browser that followed a reset link.
func TestKnownBrowser(t *testing.T) { frozen(t, testKnownBrowser) }

func testKnownBrowser(t *testing.T) {
	h := newBridgeHarness(t)
	uid, account, _ := h.newUser()
	login := loginWays()["form"].request
	known := deviceOf(t, h.send(login(account, "secret1"), "192.0.2.1:1"))
	link := h.with(h.admin, "POST", fmt.Sprintf("/v1/user/%d/secret", uid), "", 201)["link"]
	_, token, _ := strings.Cut(link.(string), "?token=")
	form := url.Values{"token": {token}, "secret": {"secret1"}}.Encode()
	r := httptest.NewRequest("POST", "/reset", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	reset := deviceOf(t, h.send(r, "192.0.2.1:1"))
	for range 20 {
		h.send(login(account, "wrong-1"), "192.0.2.1:1")
	}
	for name, test := range map[string]struct {
		cookie *http.Cookie
		want   int
	}{
		"stranger": {&http.Cookie{Name: "x"}, 429}, "logged in before": {known, 303},
		"followed a reset link": {reset, 303},
	} {
		r := login(account, "secret1")
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
			if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode ||
				cookie.MaxAge != 400*24*3600 {
				t.Errorf("%v", cookie)
			}
			return cookie
		}
	}
	t.Fatalf("no device cookie: %d %s", w.Code, w.Body)
	return nil
}

// TestOldPasswordIsLimited: a stolen token does not allow unlimited guesses at the password, and
// neither does a series of renewed tokens.
func TestOldPasswordIsLimited(t *testing.T) { frozen(t, testOldPasswordIsLimited) }

func testOldPasswordIsLimited(t *testing.T) {
	h := newBridgeHarness(t)
	_, _, token := h.newUser()
	statuses := map[int]int{}
	for range 15 {
		w := h.ask("PUT", "/v1/user/secret", `{"old":"wrong-1","new":"secret2"}`,
			"Authorization: Bearer "+token)
		statuses[w.Code]++
		token = h.with(token, "POST", "/v1/token/renew", "", 201)["token"].(string)
	}
	if statuses[400] != 10 || statuses[429] != 5 {
		t.Errorf("%v", statuses)
	}
}
