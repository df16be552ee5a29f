package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLogAndDatabaseHoldNoSecrets puts tokens and a password everywhere in requests. Neither the
// debug log nor the database contains them, in clear or encoded, nor the master key. The only
// exception is a password in a path.
func TestLogAndDatabaseHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const password = "correct-horse-battery-staple"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			args := slices.Concat(cheapHashes, []string{"--log-level", "debug", "--log-format", format,
				"--bridge",
				"--trusted-proxy", "127.0.0.1/32", "--registration", "open",
				"--public-url", "http://login.example.com", "--cookie-domain", "example.com"})
			s := start(t, t.TempDir(), args...)
			request(t, "POST", s.URL+"/v1/client/register",
				`{"account":"ann@example.com","secret":"`+password+
					`","type":100,"nickname":"Ann"}`, asJSON)
			good := tokenIn(t, request(t, "POST", s.URL+"/v1/token",
				`{"account":"ann@example.com","secret":"`+password+
					`","type":100}`, asJSON))
			canaries := []string{good, tamper(good), "MT" + strings.Repeat("0", 10) + "-_" +
				strings.Repeat("aB", 21)}
			for _, token := range canaries {
				everywhere(t, s, token, "/"+token, "/v1/user/"+token, "/v1/tokens/"+token, "/static/"+token,
					"/"+token+"x/y")
			}
			everywhere(t, s, "ann@example.com:"+password)
			must(t, s.stop(t))
			log := s.out.String()
			if strings.Count(log, "request_id") < 100 {
				t.Fatalf("the log has too few requests:\n%s", log)
			}
			encoded, err := os.ReadFile(filepath.Join(s.Dir, "secret"))
			must(t, err)
			key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(encoded)))
			must(t, err)
			for _, text := range append(canaries, password, string(key)) {
				requireWithout(t, "the log", log, text)
				for _, name := range []string{"latchkey.db", "latchkey.changes"} {
					content, err := os.ReadFile(filepath.Join(s.Dir, name))
					must(t, err)
					requireWithout(t, name, string(content), text)
				}
			}
		})
	}
}

// requireWithout requires that a log or file does not contain a text in any encoding.
func requireWithout(t *testing.T, where, whole, text string) {
	t.Helper()
	for _, form := range writtenForms(text) {
		if i := strings.Index(whole, form); i >= 0 {
			t.Errorf("%s contains %.12q…: %q", where, form, whole[max(0, i-200):min(len(whole), i+100)])
		}
	}
}

// writtenForms returns a text in clear, in hexadecimal, URL-encoded and in base64 at each
// alignment.
func writtenForms(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), url.QueryEscape(text)}
	for before := range 3 {
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		forms = append(forms, whole[(before*8+5)/6:(before+len(text))*8/6])
	}
	return forms
}

// everywhere sends a text in every part of a request, also to the given paths.
func everywhere(t *testing.T, s *server, text string, paths ...string) {
	t.Helper()
	sendInHeaders(t, s, text, paths...)
	sendInBodies(t, s, text)
	sendMalformed(t, s, text)
}

// sendInHeaders sends a text in paths, queries and header fields.
func sendInHeaders(t *testing.T, s *server, text string, paths ...string) {
	t.Helper()
	pair := "Basic " + base64.StdEncoding.EncodeToString([]byte(text+":"))
	escaped := url.QueryEscape(text)
	for _, path := range append(paths, "/v1/verify?login=redirect", "/v1/user", "/account",
		"/login?next=/"+escaped,
		"/v1/verify?scope="+escaped, "/setup?token="+escaped, "/reset?token="+escaped, "/v1/users?q="+escaped) {
		for _, header := range []string{"Authorization: " + pair, "Authorization: Bearer " + text,
			"Authorization: " + text,
			"Authorization: Digest username=" + text, "Cookie: latchkey-domain=" + text, "Cookie: " + text,
			"User-Agent: " + text, "Referer: http://x/" + text, "X-Request-Id: " +
				text, "X-Forwarded-For: " + text,
			"X-Original-URL: http://app.example.com/" + text, "X-Forwarded-Host: " +
				text, "Origin: http://" + text,
			"Accept: text/html," + text, "Content-Type: " + text, text[:20] + ": " + text} {
			if _, err := tryRequest("GET", s.URL+path, "", header); err != nil &&
				!strings.Contains(err.Error(), "invalid header") {
				t.Errorf("%s with %.30s: %v", path, header, err)
			}
		}
	}
}

// sendInBodies sends a text in JSON and in forms.
func sendInBodies(t *testing.T, s *server, text string) {
	t.Helper()
	escaped := url.QueryEscape(text)
	for _, path := range []string{"/v1/token", "/v1/token/secret", "/v1/client/register", "/v1/tokens",
		"/v1/user/secret"} {
		for _, body := range []string{text, `{"token":"` + text + `"}`,
			loginJSON(text, text),
			`{"` + text + `":1}`, `{"type":"` + text + `"}`, `{"label":"` + text + `","scope":"` + text +
				`","lifetime":60}`} {
			request(t, "POST", s.URL+path, body, asJSON)
		}
	}
	for _, path := range []string{"/login", "/register", "/setup", "/reset", "/account/tokens",
		"/logout"} {
		request(t, "POST", s.URL+path,
			"account="+escaped+"&secret="+escaped+"&token="+escaped+"&"+escaped+"=%zz", asForm)
		request(t, "POST", s.URL+path, "account="+escaped+"&secret="+escaped+"&token="+escaped, asForm)
	}
}

// sendMalformed sends a text in requests that break the protocol.
func sendMalformed(t *testing.T, s *server, text string) {
	t.Helper()
	for _, raw := range []string{"%s / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: %s\r\n\r\n", "GET / %s\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", "POST /v1/token HTTP/1.1\r\nHost: x\r\n" +
			"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n%s\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = fmt.Fprintf(conn, raw, text)
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite())
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
