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

// verifyRequest is a proxy's request to /v1/verify.
type verifyRequest struct {
	method, uri, body string
	header            http.Header
	connection        string // the proxy's address and port
}

// recordVerifyRequests starts a server that answers 401 in place of Latchkey and records the
// requests.
func recordVerifyRequests(tb testing.TB) (url string, requests func() []verifyRequest) {
	tb.Helper()
	var mu sync.Mutex
	var got []verifyRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, verifyRequest{r.Method, r.RequestURI, string(body), r.Header.Clone(),
			r.RemoteAddr})
		mu.Unlock()
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(401)
	}))
	tb.Cleanup(server.Close)
	return server.URL, func() []verifyRequest {
		mu.Lock()
		defer mu.Unlock()
		all := got
		got = nil
		return all
	}
}

// TestProxiesVerifyRequest checks what proxies send to /v1/verify: the client's credentials and the
// headers by which Latchkey recognises browsers, unchanged; the target and origin of the request as
// the proxy sees them; and no body.
func TestProxiesVerifyRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			url, requests := recordVerifyRequests(t)
			proxy := kind.start(t, url, newService(t).URL)
			sent := []string{"Authorization: Basic YTpi", "Cookie: a=b; latchkey=c", "Accept: text/html",
				"User-Agent: client/1",
				"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "X-Requested-With: XMLHttpRequest"}
			forged := []string{"X-Original-URL: http://evil.example/evil", "X-Original-Method: evil",
				"X-Forwarded-Host: evil.example",
				"X-Forwarded-Proto: evil", "X-Forwarded-Uri: /evil", "X-Forwarded-Method: evil", "X-Forwarded-For: 203.0.113.7",
				"x-forwarded-host: evil.example", "X_Forwarded_Host: evil.example"}
			proxy.send(t, "POST", "/some%20/where?x=1&next=%2F", "a body",
				append(slices.Clone(sent), forged...)...)
			chunked := "POST /some%20/where?x=1&next=%2F HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n" +
				strings.Join(sent, "\r\n") + "\r\n\r\n6\r\na body\r\n0\r\n\r\n"
			if got := proxy.raw(t, chunked); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("a chunked body: %s, want 401", got)
			}
			got := requests()
			if len(got) < 2 {
				t.Errorf("Latchkey got %d requests, want at least 2", len(got))
			}
			for _, r := range got {
				r.check(t, sent)
			}
			for range 100 {
				proxy.send(t, "GET", "/", "", bearer("x"))
			}
			var connections []string
			for _, r := range requests() {
				connections = append(connections, r.connection)
			}
			slices.Sort(connections)
			if n := len(slices.Compact(connections)); n > 20 && !kind.reconnects {
				t.Errorf("the proxy opened %d connections for 100 requests, want at most 20", n)
			}
		})
	}
}

// check compares the request with what the client sent.
func (r verifyRequest) check(t *testing.T, sent []string) {
	t.Helper()
	if r.method != "GET" || !strings.HasPrefix(r.uri, "/v1/verify") || r.body != "" {
		t.Errorf("%s %s %q, want GET /v1/verify without a body", r.method, r.uri, r.body)
	}
	for _, h := range sent {
		if name, value, _ := strings.Cut(h, ": "); !slices.Equal(r.header.Values(name), []string{value}) {
			t.Errorf("%s: %q, want %q", name, r.header.Values(name), value)
		}
	}
	if len(r.header["X-Original-Url"]) > 0 {
		sent = []string{"X-Original-URL: http://app.example.com/some%20/where?x=1&next=%2F",
			"X-Original-Method: POST"}
	} else {
		sent = []string{"X-Forwarded-Host: app.example.com",
			"X-Forwarded-Uri: /some%20/where?x=1&next=%2F", "X-Forwarded-Method: POST"}
	}
	for _, h := range append(sent, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http") {
		if name, value, _ := strings.Cut(h, ": "); !slices.Equal(r.header.Values(name), []string{value}) {
			t.Errorf("%s: %q, want %q", name, r.header.Values(name), value)
		}
	}
	for name, values := range r.header {
		if all := strings.Join(values, " "); strings.Contains(all, "evil") ||
			strings.Contains(all, "203.0.113.7") {
			t.Errorf("Latchkey gets the forged header %s: %q", name, values)
		}
	}
}
