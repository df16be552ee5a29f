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

// answersWith is something at Latchkey's address that answers all with a status. Unless that is 200 it names
// somebody and points to where 200 is to be had: neither may be believed.
func answersWith(tb testing.TB, status int) string {
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

// silent is something at Latchkey's address that takes connections and never answers.
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

// closedWithin is how long a client waits at most when Latchkey does not answer: the recipes wait for 5 seconds.
const closedWithin = 12 * time.Second

// TestProxiesFailClosed: while Latchkey is not there, is silent or answers what is no verdict, nothing reaches the
// service, and a client is told so in bounded time.
func TestProxiesFailClosed(t *testing.T) {
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			latchkeys := map[string]string{"absent": "http://" + freeAddress(t), "silent": silent(t)}
			for _, status := range []int{500, 502, 503, 302, 303, 404, 429, 400, 304} {
				latchkeys[strconv.Itoa(status)] = answersWith(t, status)
			}
			for name, latchkey := range latchkeys {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					behind := newService(t)
					door := proxy.start(t, latchkey, behind.URL)
					door.closed(t, behind)
				})
			}
			t.Run("killed", func(t *testing.T) {
				t.Parallel()
				p := invite(t)
				p.door, p.strict = proxy.start(t, p.latchkey.URL, p.behind.URL), proxy.strict
				for range 20 { // so that connections are kept alive
					p.passes(t, "GET", "/", "", bearer(p.token))
				}
				p.latchkey.kill()
				p.door.closed(t, p.behind, bearer(p.token), "Cookie: latchkey="+p.token)
			})
		})
	}
}

// closed requires that no request reaches the service and that each is answered in time, by no success.
func (d *door) closed(t *testing.T, behind *service, more ...string) {
	t.Helper()
	const form = "MTc5NTQ0OTQwNnxBQUFBQVJ3Z0FSQUF8fh6UWcNyzC80QV7HPTs17h0d"
	var wait sync.WaitGroup
	for _, headers := range [][]string{
		nil, {bearer(form)}, {basic(form, ""), "X-Auth-Uid: 1"}, {"Accept: text/html", "Sec-Fetch-Mode: navigate"}, more,
	} {
		for _, method := range []string{"GET", "POST"} {
			wait.Go(func() {
				began := time.Now()
				got, err := d.try(method, "/x", "", headers...)
				if took := time.Since(began); err != nil || took > closedWithin {
					t.Errorf("%s %.40q: answered after %v: %v", method, headers, took, err)
				} else if got.Status < 300 || strings.Contains(got.Body, "behind") {
					t.Errorf("%s %.40q: %d %s", method, headers, got.Status, got.Body)
				}
			})
		}
	}
	wait.Wait()
	if requests, connections := behind.asked(); len(requests) > 0 {
		t.Errorf("the service was asked %q on %d connections", requests, connections)
	}
}

// TestProxiesAnswerWithoutIdentity says what happens when something answers 200 at Latchkey's address without saying who it is:
// the service never gets a client's own word for it.
func TestProxiesAnswerWithoutIdentity(t *testing.T) {
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			behind := newService(t)
			door := proxy.start(t, answersWith(t, 200), behind.URL)
			got := door.through(t, "GET", "/", "", "X-Auth-Uid: 1", "x_auth_uid: 1", "X-Auth-Account: root")
			for _, h := range behind.take() {
				for _, name := range identityHeaders {
					if strings.Join(h[name], "") != "" {
						t.Errorf("the service got %s: %q", name, h[name])
					}
				}
			}
			if got.Status == 200 == proxy.wary {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
}
