//go:build e2e || bench

package e2e_test

import (
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reverseProxy is a proxy that runs with the configuration of its recipe.
type reverseProxy struct {
	URL string // http://127.0.0.1:PORT
	Dir string // configuration and logs
	out *lockedBuffer
}

// bare returns a URL without its scheme.
func bare(url string) string { return strings.TrimPrefix(url, "http://") }

// write writes a file in a directory and returns its path.
func write(tb testing.TB, dir, name, content string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	must(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// send sends a request for app.example.com through the proxy. headers are "Name: value" and keep
// their spelling.
func (r *reverseProxy) send(tb testing.TB, method, path, body string, headers ...string) reply {
	tb.Helper()
	got, err := r.trySend(method, path, body, headers...)
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", method, path, err, r.printed(tb))
	}
	return got
}

// trySend is send that returns a failed connection as an error.
func (r *reverseProxy) trySend(method, path, body string, headers ...string) (reply, error) {
	req, err := http.NewRequest(method, r.URL+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Host = "app.example.com"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header[name] = append(req.Header[name], value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(content)}, err
}

// printed returns the proxy's output and all its files.
func (r *reverseProxy) printed(tb testing.TB) string {
	tb.Helper()
	text := r.out.String()
	must(tb, filepath.WalkDir(r.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			content, readErr := os.ReadFile(path)
			text, err = text+"\n== "+path+"\n"+string(content), readErr
		}
		return err
	}))
	return text
}

// logged returns the proxy's output and log files.
func (r *reverseProxy) logged(tb testing.TB) string {
	tb.Helper()
	var text strings.Builder
	for file := range strings.SplitSeq(r.printed(tb), "\n== ") {
		if name, content, _ := strings.Cut(file, "\n"); strings.HasSuffix(name, ".log") ||
			!strings.HasPrefix(name, "/") {
			text.WriteString(name + "\n" + content)
		}
	}
	return text.String()
}

// raw sends bytes on a new connection and returns the response, until the proxy closes the
// connection or is silent. It waits longest for the first byte: bytes that are no complete request get
// no response.
func (r *reverseProxy) raw(t *testing.T, text string) string {
	conn, err := net.Dial("tcp", bare(r.URL))
	if err != nil {
		t.Errorf("the proxy does not accept connections: %v", err)
		return ""
	}
	defer conn.Close()
	silence := 10 * time.Second
	_ = conn.SetWriteDeadline(time.Now().Add(silence))
	_, _ = conn.Write([]byte(text)) // fails if the proxy closes early
	var response []byte
	buffer := make([]byte, 32<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		n, err := conn.Read(buffer)
		response = append(response, buffer[:n]...)
		if err != nil {
			return string(response)
		}
		silence = 100 * time.Millisecond
	}
}
