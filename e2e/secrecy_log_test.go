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

// TestLogAndDatabaseHoldNoSecrets: wherever a client puts a token, and wherever but in a path a secret, Latchkey's own log holds neither, in
// clear or encoded, at its most talkative, nor does its database; and neither holds the secret that seals the keys.
func TestLogAndDatabaseHoldNoSecrets(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			args := slices.Concat(cheapHashes, []string{"--log-level", "debug", "--log-format", format, "--bridge",
				"--trusted-proxy", "127.0.0.1/32", "--public-url", "http://login.example.com", "--cookie-domain", "example.com"})
			s := start(t, t.TempDir(), args...)
			request(t, "POST", s.URL+"/v1/client/register", `{"account":"ann@example.com","secret":"`+secret+
				`","type":100,"nickname":"Ann"}`, asJSON)
			good := tokenIn(t, request(t, "POST", s.URL+"/v1/token", `{"account":"ann@example.com","secret":"`+secret+
				`","type":100}`, asJSON))
			canaries := []string{good, tamper(good), "MT" + strings.Repeat("0", 10) + "-_" + strings.Repeat("aB", 21)}
			for _, token := range canaries {
				everywhere(t, s, token, "/"+token, "/v1/user/"+token, "/v1/tokens/"+token, "/static/"+token, "/"+token+"x/y")
			}
			everywhere(t, s, "ann@example.com:"+secret)
			must(t, s.stop(t))
			log := s.out.String()
			if strings.Count(log, "request_id") < 100 {
				t.Fatalf("the log is too short to say anything:\n%s", log)
			}
			sealing, err := os.ReadFile(filepath.Join(s.Dir, "secret"))
			must(t, err)
			key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(sealing)))
			must(t, err)
			for _, text := range append(canaries, secret, string(key)) {
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

// requireWithout has something not hold a text, however it is written.
func requireWithout(t *testing.T, where, whole, text string) {
	t.Helper()
	for _, form := range writtenForms(text) {
		if i := strings.Index(whole, form); i >= 0 {
			t.Errorf("%s holds %.12q…: %q", where, form, whole[max(0, i-200):min(len(whole), i+100)])
		}
	}
}

// writtenForms is a text as a log may write it.
func writtenForms(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), url.QueryEscape(text)}
	for before := range 3 {
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		forms = append(forms, whole[(before*8+5)/6:(before+len(text))*8/6])
	}
	return forms
}

// everywhere puts a text in every place of a request, and asks for some more paths.
func everywhere(t *testing.T, s *server, text string, paths ...string) {
	t.Helper()
	pair := "Basic " + base64.StdEncoding.EncodeToString([]byte(text+":"))
	form, escaped := "Content-Type: application/x-www-form-urlencoded", url.QueryEscape(text)
	for _, path := range append(paths, "/v1/verify?login=redirect", "/v1/user", "/account", "/login?next=/"+escaped,
		"/v1/verify?scope="+escaped, "/setup?token="+escaped, "/reset?token="+escaped, "/v1/users?q="+escaped) {
		for _, header := range []string{"Authorization: " + pair, "Authorization: Bearer " + text, "Authorization: " + text,
			"Authorization: Digest username=" + text, "Cookie: latchkey-domain=" + text, "Cookie: " + text,
			"User-Agent: " + text, "Referer: http://x/" + text, "X-Request-Id: " + text, "X-Forwarded-For: " + text,
			"X-Original-URL: http://app.example.com/" + text, "X-Forwarded-Host: " + text, "Origin: http://" + text,
			"Accept: text/html," + text, "Content-Type: " + text, text[:20] + ": " + text} {
			if _, err := tryRequest("GET", s.URL+path, "", header); err != nil && !strings.Contains(err.Error(),
				"invalid header") {
				t.Errorf("%s with %.30s: %v", path, header, err)
			}
		}
	}
	for _, path := range []string{"/v1/token", "/v1/token/secret", "/v1/client/register", "/v1/tokens",
		"/v1/user/secret"} {
		for _, body := range []string{text, `{"token":"` + text + `"}`,
			loginJSON(text, text),
			`{"` + text + `":1}`, `{"type":"` + text + `"}`, `{"label":"` + text + `","scope":"` + text + `","lifetime":60}`} {
			request(t, "POST", s.URL+path, body, asJSON)
		}
	}
	for _, path := range []string{"/login", "/register", "/setup", "/reset", "/account/tokens", "/logout"} {
		request(t, "POST", s.URL+path, "account="+escaped+"&secret="+escaped+"&token="+escaped+"&"+escaped+"=%zz", form)
		request(t, "POST", s.URL+path, "account="+escaped+"&secret="+escaped+"&token="+escaped, form)
	}
	for _, raw := range []string{"%s / HTTP/1.1\r\nHost: x\r\n\r\n", "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: %s\r\n\r\n", "GET / %s\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", "POST /v1/token HTTP/1.1\r\nHost: x\r\n" +
			"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n%s\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = fmt.Fprintf(conn, raw, text)
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite())
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}
