//go:build e2e

package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// asked is a question that a proxy put to Latchkey.
type asked struct {
	method, uri, body string
	header            http.Header
	connection        string // the other end's address
}

// listener is in Latchkey's place, refuses all and keeps what it was asked.
func listener(tb testing.TB) (url string, questions func() []asked) {
	tb.Helper()
	var mu sync.Mutex
	var got []asked
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, asked{r.Method, r.RequestURI, string(body), r.Header.Clone(), r.RemoteAddr})
		mu.Unlock()
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(401)
	}))
	tb.Cleanup(server.Close)
	return server.URL, func() []asked {
		mu.Lock()
		defer mu.Unlock()
		all := got
		got = nil
		return all
	}
}

// TestProxiesVerifyRequest: what a proxy tells Latchkey is the client's credentials and what tells a person from a program, as
// the client sent them; where the request goes and where it comes from, as the proxy sees it; and no body.
func TestProxiesVerifyRequest(t *testing.T) {
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			url, questions := listener(t)
			door := proxy.start(t, url, newService(t).URL)
			sent := []string{"Authorization: Basic YTpi", "Cookie: a=b; latchkey=c", "Accept: text/html", "User-Agent: client/1",
				"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "X-Requested-With: XMLHttpRequest"}
			forged := []string{"X-Original-URL: http://evil.example/evil", "X-Original-Method: evil",
				"X-Forwarded-Host: evil.example",
				"X-Forwarded-Proto: evil", "X-Forwarded-Uri: /evil", "X-Forwarded-Method: evil", "X-Forwarded-For: 203.0.113.7",
				"x-forwarded-host: evil.example", "X_Forwarded_Host: evil.example"}
			door.through(t, "POST", "/some%20/where?x=1&next=%2F", "a body", append(slices.Clone(sent), forged...)...)
			chunked := "POST /some%20/where?x=1&next=%2F HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n" +
				strings.Join(sent, "\r\n") + "\r\n\r\n6\r\na body\r\n0\r\n\r\n"
			if got := door.raw(t, chunked); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("a body in chunks: %s", got)
			}
			got := questions()
			if len(got) < 2 {
				t.Errorf("Latchkey was asked %d times", len(got))
			}
			for _, q := range got {
				q.check(t, sent)
			}
			for range 100 {
				door.through(t, "GET", "/", "", bearer("x"))
			}
			var connections []string
			for _, q := range questions() {
				connections = append(connections, q.connection)
			}
			slices.Sort(connections)
			if n := len(slices.Compact(connections)); n > 20 && !proxy.reconnects {
				t.Errorf("%d connections for 100 requests", n)
			}
		})
	}
}

// check holds one question against what the client sent.
func (q asked) check(t *testing.T, sent []string) {
	t.Helper()
	if q.method != "GET" || !strings.HasPrefix(q.uri, "/v1/verify") || q.body != "" {
		t.Errorf("asked %s %s %q", q.method, q.uri, q.body)
	}
	for _, h := range sent {
		if name, value, _ := strings.Cut(h, ": "); !slices.Equal(q.header.Values(name), []string{value}) {
			t.Errorf("%s: %q", name, q.header.Values(name))
		}
	}
	if len(q.header["X-Original-Url"]) > 0 {
		sent = []string{"X-Original-URL: http://app.example.com/some%20/where?x=1&next=%2F", "X-Original-Method: POST"}
	} else {
		sent = []string{"X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: /some%20/where?x=1&next=%2F",
			"X-Forwarded-Method: POST"}
	}
	for _, h := range append(sent, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http") {
		if name, value, _ := strings.Cut(h, ": "); !slices.Equal(q.header.Values(name), []string{value}) {
			t.Errorf("%s: %q, want %q", name, q.header.Values(name), value)
		}
	}
	for name, values := range q.header {
		if all := strings.Join(values, " "); strings.Contains(all, "evil") || strings.Contains(all, "203.0.113.7") {
			t.Errorf("a client's own word goes to Latchkey: %s: %q", name, values)
		}
	}
}
