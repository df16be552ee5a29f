package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// reply is an HTTP response whose body was read.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// request sends a request and returns the response; headers are "Name: value". It follows no
// redirect. While the server is busy, request tries again.
func request(tb testing.TB, method, url, body string, headers ...string) reply {
	tb.Helper()
	r, err := tryRequest(method, url, body, headers...)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// requestOnce is request for a test that judges a 503 itself.
func requestOnce(tb testing.TB, method, url, body string, headers ...string) reply {
	tb.Helper()
	r, err := tryOnce(method, url, body, headers...)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// client follows no redirect.
var client = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// tryRequest is request that returns a failed connection as an error. On a slow machine beside other
// work a server that does nothing wrong is busy, too: it limits how long it waits.
func tryRequest(method, url, body string, headers ...string) (reply, error) {
	for began := time.Now(); ; {
		r, err := tryOnce(method, url, body, headers...)
		if err != nil || !r.busy() || time.Since(began) > patience {
			return r, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// busy returns whether the server did nothing and asks the client to try again.
func (r reply) busy() bool {
	return r.Status == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != ""
}

// tryOnce is requestOnce that returns a failed connection as an error.
func tryOnce(method, url, body string, headers ...string) (reply, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(content)}, err
}

// checkStatus reports a response with another status; what names the request.
func checkStatus(tb testing.TB, what string, got reply, want int) {
	tb.Helper()
	if got.Status != want {
		tb.Errorf("%s: status %d, want %d: %s", what, got.Status, want, got.Body)
	}
}

const (
	asJSON = "Content-Type: application/json"
	asForm = "Content-Type: application/x-www-form-urlencoded"
)

// bearer returns the header that carries a token by the Bearer scheme.
func bearer(token string) string { return "Authorization: Bearer " + token }

// basic returns the header that carries a user name and a password by the Basic scheme.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// tamper changes one character in the middle of a token.
func tamper(token string) string {
	b := []byte(token)
	if b[40] == 'A' {
		b[40] = 'B'
	} else {
		b[40] = 'A'
	}
	return string(b)
}

// quoted returns a value as JSON.
func quoted(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
