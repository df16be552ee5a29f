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

// service is the program behind a proxy, which knows nothing of Latchkey: it records what reaches
// it.
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
		_, _ = io.WriteString(w, "<!doctype html><title>Behind</title><main>behind "+r.URL.Path+"</main>\n")
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

// take returns the headers of the requests that have come since the last call.
func (s *service) take() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.received
	s.received = nil
	return got
}

// asked returns the requests that have come since the last call, each "METHOD URI BODY", and how
// many connections there have ever been: also one that brought no request that can be read.
func (s *service) asked() (requests []string, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, s.requests = s.requests, nil
	return requests, s.connections
}

// guarded is a web server that asks a Latchkey's /v1/verify before each request, as a proxy does,
// and hands its refusals on.
func guarded(tb testing.TB, s *server, behind http.Handler) *httptest.Server {
	tb.Helper()
	door := httptest.NewServer(askFirst(s, behind))
	tb.Cleanup(door.Close)
	return door
}

// askFirst is the handler of guarded.
func askFirst(s *server, behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.URL+"/v1/verify", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ask.Header = http.Header{"Authorization": r.Header["Authorization"], "Cookie": r.Header["Cookie"]}
		answer, err := client.Do(ask)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			behind.ServeHTTP(w, r)
			return
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})
}
