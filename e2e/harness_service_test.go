//go:build e2e || bench

package e2e_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// service is the service behind a proxy. It records the requests that reach it.
type service struct {
	URL string // http://127.0.0.1:PORT

	mu          sync.Mutex
	received    []http.Header
	requests    []string
	connections int
}

// newService starts a service that answers every request with 200 and "behind".
func newService(tb testing.TB) *service {
	tb.Helper()
	s := &service{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.received = append(s.received, r.Header.Clone())
		s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w,
			"<!doctype html><title>Behind</title><main>behind "+r.URL.Path+"</main>\n")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
	server.Start()
	tb.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// take returns the headers of the requests since the last call.
func (s *service) take() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.received
	s.received = nil
	return got
}

// asked returns the requests since the last call, each "METHOD URI BODY", and the number of
// connections so far, with or without a readable request.
func (s *service) asked() (requests []string, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, s.requests = s.requests, nil
	return requests, s.connections
}

// startGuarded starts a web server that calls /v1/verify before each request, as a proxy does.
func startGuarded(tb testing.TB, s *server, behind http.Handler) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(verifyFirst(s, behind))
	tb.Cleanup(server.Close)
	return server
}

// verifyFirst calls /v1/verify, and behind if the status is 200. Otherwise it returns the response
// of /v1/verify.
func verifyFirst(s *server, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verify, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.URL+"/v1/verify", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		verify.Header = http.Header{"Authorization": r.Header["Authorization"],
			"Cookie": r.Header["Cookie"]}
		resp, err := client.Do(verify)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			behind.ServeHTTP(w, r)
			return
		}
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
}
