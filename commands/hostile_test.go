//go:build !client && !windows

package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"latchkey/client/credstore"
)

// hostileText obeys no terminal: it has escape sequences in C0 and C1, a raw byte of C1, an override of
// the direction of writing, and a line that seems to come from this program.
const hostileText = "a\x1b[2Jb\u009b31mc\x9bd\u202ee\x7ff\r\nlatchkey: all is well\u0085"

// checkVisible reports characters that a terminal would obey. A line feed ends each line.
func checkVisible(t *testing.T, what, output string, lines int) {
	t.Helper()
	if strings.ContainsFunc(output, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }) ||
		strings.Count(output, "\n") > lines {
		t.Errorf("%s prints %q", what, output)
	}
}

// hostileServers returns servers that send hostileText in every place, by the place's name.
func hostileServers(t *testing.T) map[string]string {
	t.Helper()
	quoted, _ := json.Marshal(hostileText)
	bodies := map[string]string{
		"a message":   fmt.Sprintf(`{"error_code":1,"msg":%s}`, quoted),
		"raw bytes":   `{"error_code":1,"msg":"` + strings.ReplaceAll(hostileText, "\r\n", "") + `"}`,
		"fields":      fmt.Sprintf(`{"error_code":1000,"msg":{%s:[%s]}}`, quoted, quoted),
		"no response": hostileText,
		"a token":     fmt.Sprintf(`{"token":%s}`, quoted),
	}
	urls := map[string]string{}
	for name, body := range bodies {
		status := http.StatusBadRequest
		if name == "a token" {
			status = http.StatusCreated
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Server"] = []string{"nginx \u009b31m\x9b"}
			w.Header()["Location"] = []string{"http://\u009b31m\x9b/"}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		urls[name] = server.URL
	}
	urls["no HTTP"] = serveRaw(t, hostileText)
	urls["a status line"] = serveRaw(t, "HTTP/1.1 "+strings.ReplaceAll(hostileText, "\r\n", "")+"\r\n\r\n")
	urls["a header"] = serveRaw(t, "HTTP/1.1 200 OK\r\n"+hostileText+": x\r\n\r\n")
	return urls
}

// serveRaw responds with a text to each connection.
func serveRaw(t *testing.T, text string) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "http://" + listener.Addr().String()
}

// TestHostileServer: no command prints what a terminal would obey, whatever a server sends.
func TestHostileServer(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for place, url := range hostileServers(t) {
		tokens := filepath.Join(t.TempDir(), "tokens.json")
		now := time.Now().Unix()
		logins, _ := json.Marshal([]credstore.Login{{URL: url, Account: "a@b.cn", Hosts: []string{"a.example"},
			Token: strings.Repeat("A", 56), ExpiresAt: now - 1, Lifetime: 100}})
		if err := os.WriteFile(tokens, logins, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LATCHKEY_TOKENS", tokens)
		for line, stdin := range map[string]string{
			"login " + url + " --account a@b.cn --secret-stdin": "secret1\n",
			"logout": "", "token": "", "netrc": "",
			"git-credential get":                                     "protocol=https\nhost=a.example\n",
			"docker-credential get":                                  "https://a.example",
			"doctor --wait 0s --url " + url + " --log " + log:        "",
			"doctor --json --wait 0s --url " + url + " --log " + log: "",
		} {
			out, said, _ := run(t, stdin, strings.Fields(line)...)
			checkVisible(t, place+", "+line, out, 1)
			checkVisible(t, place+", "+line, said, 1)
		}
	}
}

// TestErrorsAreVisible: no error prints what a terminal would obey, wherever it comes from.
func TestErrorsAreVisible(t *testing.T) {
	var said strings.Builder
	fail(Console{Err: &said}, exitFailure, errors.New(hostileText))
	checkVisible(t, "an error", said.String(), 1)
}

// TestJSONIsVisible: JSON escapes what a terminal would obey, and keeps its meaning.
func TestJSONIsVisible(t *testing.T) {
	text := strings.ToValidUTF8(hostileText, "?") + "Grüße 🔑 \U000e0001"
	var out strings.Builder
	if err := printJSON(&out, []string{text}); err != nil {
		t.Fatal(err)
	}
	checkVisible(t, "JSON", out.String(), 1)
	var parsed []string
	if err := json.Unmarshal([]byte(out.String()), &parsed); err != nil || parsed[0] != text {
		t.Errorf("%q becomes %q, %v", text, parsed, err)
	}
	if !strings.Contains(out.String(), "Grüße 🔑") {
		t.Errorf("%s", out.String())
	}
}
