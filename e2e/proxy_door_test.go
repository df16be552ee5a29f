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

// A door is a reverse proxy that runs from its recipe.

type door struct {
	URL string // http://127.0.0.1:PORT
	Dir string // its files, logs among them
	out *lockedBuffer
}

// bare is an address without its scheme.
func bare(url string) string { return strings.TrimPrefix(url, "http://") }

// write puts a file in a directory and returns its path.
func write(tb testing.TB, dir, name, content string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	must(tb, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// through sends a request for app.example.com through a proxy; headers are "Name: value" and go out as spelled.
func (d *door) through(tb testing.TB, method, path, body string, headers ...string) reply {
	tb.Helper()
	got, err := d.try(method, path, body, headers...)
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", method, path, err, d.printed(tb))
	}
	return got
}

func (d *door) try(method, path, body string, headers ...string) (reply, error) {
	req, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
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

// printed is what a proxy printed and all that it wrote to its files.
func (d *door) printed(tb testing.TB) string {
	tb.Helper()
	text := d.out.String()
	must(tb, filepath.WalkDir(d.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			content, readErr := os.ReadFile(path)
			text, err = text+"\n== "+path+"\n"+string(content), readErr
		}
		return err
	}))
	return text
}

// logged is printed without the configuration.
func (d *door) logged(tb testing.TB) string {
	tb.Helper()
	var text strings.Builder
	for file := range strings.SplitSeq(d.printed(tb), "\n== ") {
		if name, content, _ := strings.Cut(file, "\n"); strings.HasSuffix(name, ".log") || !strings.HasPrefix(name, "/") {
			text.WriteString(name + "\n" + content)
		}
	}
	return text.String()
}

// raw sends bytes on a connection of their own and returns what comes back until the other end is done or silent.
func (d *door) raw(t *testing.T, text string) string {
	conn, err := net.Dial("tcp", bare(d.URL))
	if err != nil {
		t.Errorf("the proxy is gone: %v", err)
		return ""
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(text)) // the other end may close early
	var answer []byte
	buffer := make([]byte, 32<<10)
	for patience := time.Second; ; patience = 100 * time.Millisecond {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buffer)
		answer = append(answer, buffer[:n]...)
		if err != nil {
			return string(answer)
		}
	}
}
