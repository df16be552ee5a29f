//go:build e2e

package e2e_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// respondsWith starts a server that answers every request with a status, in place of Latchkey.
// Unless the status is 200, its headers name a user and redirect to a page with 200. Proxies must
// ignore both.
func respondsWith(tb testing.TB, status int) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere := r.URL.Path == "/elsewhere"
		if status != 200 || elsewhere {
			for _, name := range identityHeaders {
				w.Header().Set(name, "1")
			}
			w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
		}
		if !elsewhere {
			w.WriteHeader(status)
		}
		_, _ = io.WriteString(w, "fault")
	}))
	tb.Cleanup(server.Close)
	return server.URL
}

// silent starts a server that accepts connections and never responds, in place of Latchkey.
func silent(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return "http://" + listener.Addr().String()
}

// rejectedWithin is how long a client may wait while Latchkey does not respond. The recipes wait 5
// seconds.
const rejectedWithin = 12 * time.Second

// TestProxiesFailClosed runs the proxies while Latchkey is absent, silent, killed or answers with
// another status than 200, 401 and 403. No request reaches the service, and the client gets an
// error in time.
func TestProxiesFailClosed(t *testing.T) {
	t.Parallel()
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			latchkeys := map[string]string{"absent": "http://" + freeAddress(t), "silent": silent(t)}
			for _, status := range []int{500, 502, 503, 302, 303, 404, 429, 400, 304} {
				latchkeys[strconv.Itoa(status)] = respondsWith(t, status)
			}
			for name, latchkey := range latchkeys {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					behind := newService(t)
					proxy := kind.start(t, latchkey, behind.URL)
					proxy.failsClosed(t, behind)
				})
			}
			t.Run("killed", func(t *testing.T) {
				t.Parallel()
				p := newProxyTest(t)
				p.proxy, p.stripsUnknown = kind.start(t, p.latchkey.URL, p.behind.URL), kind.stripsUnknown
				for range 20 { // opens connections that stay open
					p.passes(t, "GET", "/", "", bearer(p.token))
				}
				p.latchkey.kill()
				p.proxy.failsClosed(t, p.behind, bearer(p.token), "Cookie: latchkey="+p.token)
			})
		})
	}
}

// failsClosed requires that no request reaches the service and that each gets an error in time.
func (r *reverseProxy) failsClosed(t *testing.T, behind *service, more ...string) {
	t.Helper()
	const wellFormed = "MTc5NTQ0OTQwNnxBQUFBQVJ3Z0FSQUF8fh6UWcNyzC80QV7HPTs17h0d"
	var wait sync.WaitGroup
	for _, headers := range [][]string{
		nil, {bearer(wellFormed)}, {basic(wellFormed, ""), "X-Auth-Uid: 1"}, {"Accept: text/html",
			"Sec-Fetch-Mode: navigate"}, more,
	} {
		for _, method := range []string{"GET", "POST"} {
			wait.Go(func() {
				began := time.Now()
				got, err := r.trySend(method, "/x", "", headers...)
				requireWithin(t, "a response without Latchkey", time.Since(began), rejectedWithin)
				if err != nil {
					t.Errorf("%s %.40q: %v", method, headers, err)
				} else if got.Status < 300 || strings.Contains(got.Body, "behind") {
					t.Errorf("%s %.40q: status %d, want an error: %s", method, headers, got.Status, got.Body)
				}
			})
		}
	}
	wait.Wait()
	if requests, connections := behind.asked(); len(requests) > 0 {
		t.Errorf("the service got %q on %d connections, want none", requests, connections)
	}
}

// TestProxiesAnswerWithoutIdentity has /v1/verify answer 200 without identity headers. Some proxies
// let the request through, but the service never gets the client's forged headers.
func TestProxiesAnswerWithoutIdentity(t *testing.T) {
	t.Parallel()
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			behind := newService(t)
			proxy := kind.start(t, respondsWith(t, 200), behind.URL)
			got := proxy.send(t, "GET", "/", "", "X-Auth-Uid: 1", "x_auth_uid: 1", "X-Auth-Account: root")
			for _, h := range behind.take() {
				for _, name := range identityHeaders {
					if strings.Join(h[name], "") != "" {
						t.Errorf("the service got %s: %q", name, h[name])
					}
				}
			}
			if got.Status == 200 == kind.needsIdentity {
				t.Errorf("status %d; the proxy needs an identity: %v: %s", got.Status, kind.needsIdentity,
					got.Body)
			}
		})
	}
}
