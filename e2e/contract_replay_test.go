package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contractCase is a recorded request with the original's response; see testdata/cases.json.
type contractCase struct {
	ID, Method, Path, Body string
	Headers                map[string]string
	Original               struct {
		Status int
		Body   map[string]any
	}
	Latchkey json.RawMessage
}

// expected returns what Latchkey must respond: the same as the original, or what the case says.
func (c contractCase) expected(t *testing.T) (status int, code any, same bool) {
	t.Helper()
	if string(c.Latchkey) == `"same"` {
		return c.Original.Status, c.Original.Body["error_code"], true
	}
	var differs struct {
		Status    int `json:"status"`
		ErrorCode any `json:"error_code"`
	}
	must(t, json.Unmarshal(c.Latchkey, &differs))
	return differs.Status, differs.ErrorCode, false
}

var toEncode = regexp.MustCompile(`b64\(([^)]*)\)`)

// fill replaces the placeholders of a case: {{name}} by a captured token, b64(text) by its base64.
func fill(text string, tokens map[string]string) string {
	for name, token := range tokens {
		text = strings.ReplaceAll(text, "{{"+name+"}}", token)
	}
	return toEncode.ReplaceAllStringFunc(text, func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(toEncode.FindStringSubmatch(s)[1]))
	})
}

// readCases reads testdata/cases.json.
func readCases(t *testing.T) []contractCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	must(t, err)
	var file struct{ Cases []contractCase }
	must(t, json.Unmarshal(raw, &file))
	if len(file.Cases) < 50 {
		t.Fatalf("cases.json has %d cases, want at least 50", len(file.Cases))
	}
	return file.Cases
}

// foreignTokens adds tokens that the server must reject: signed by another server's key, and of a
// deleted user.
func foreignTokens(t *testing.T, s *server, tokens map[string]string) {
	t.Helper()
	other := t.TempDir()
	mustRun(t, other, "123456\n", "user", "add", "999@qq.com", "--nickname", "Super", "--secret-stdin",
		"--init")
	tokens["wrongkey"] = mustRun(t, other, "", "token", "issue", "999@qq.com")
	mustRun(t, s.Dir, "abc123\n", "user", "add", "ghost@qq.com", "--nickname", "Ghost",
		"--secret-stdin")
	tokens["ghost"] = mustRun(t, s.Dir, "", "token", "issue", "ghost@qq.com")
	mustRun(t, s.Dir, "", "user", "delete", "ghost@qq.com", "--yes")
	await(t, "the server to see the deletion", func() bool {
		return request(t, "GET", s.URL+"/v1/user", "", bearer(tokens["ghost"])).Status == 401
	})
}

// TestContract replays the recorded cases against the binary.
func TestContract(t *testing.T) {
	t.Parallel()
	replayContract(t, start(t, t.TempDir()))
}

// replayContract replays the recorded cases in order.
func replayContract(t *testing.T, s *server) {
	t.Helper()
	mustRun(t, s.Dir, "123456\n", "user", "add", "999@qq.com", "--nickname", "Super", "--admin",
		"--secret-stdin")
	tokens := map[string]string{}
	tokens["expired"] = mustRun(t, s.Dir, "", "token", "issue", "999@qq.com", "--ttl", "1s")
	await(t, "a token to expire", func() bool {
		return request(t, "GET", s.URL+"/v1/user", "", bearer(tokens["expired"])).Status == 401
	})
	for _, c := range readCases(t) {
		t.Run(c.ID, func(t *testing.T) { replay(t, s, c, tokens) })
		if c.ID == "register-get" {
			foreignTokens(t, s, tokens)
		}
	}
}

// replay sends the request of a case and checks the response. It captures the tokens that later
// cases use.
func replay(t *testing.T, s *server, c contractCase, tokens map[string]string) {
	var headers []string
	for name, value := range c.Headers {
		headers = append(headers, name+": "+fill(value, tokens))
	}
	got := request(t, c.Method, s.URL+c.Path, fill(c.Body, tokens), headers...)
	status, code, same := c.expected(t)
	if got.Status != status {
		t.Fatalf("status %d, want %d: %s", got.Status, status, got.Body)
	}
	var body map[string]any
	if got.Body != "" {
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
			t.Fatalf("%v: %s", err, got.Body)
		}
	}
	if body["error_code"] != code {
		t.Errorf("error_code %v, want %v: %s", body["error_code"], code, got.Body)
	}
	if same {
		compareBodies(t, c, body)
	}
	if (got.Status == 401) != (got.Header.Get("WWW-Authenticate") != "") {
		t.Errorf("status %d with challenge %q", got.Status, got.Header.Get("WWW-Authenticate"))
	}
	if got.Status == 405 && got.Header.Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	switch c.ID {
	case "token-user":
		tokens["user"], tokens["tampered"] = body["token"].(string), tamper(body["token"].(string))
	case "token-admin":
		tokens["admin"] = body["token"].(string)
	case "me-expired", "secret-expired":
		if body["msg"] != "token is expired" {
			t.Errorf("msg %q, want \"token is expired\"", body["msg"])
		}
	}
}

// compareBodies compares the member names with the original's, and the msg where the contract fixes
// it.
func compareBodies(t *testing.T, c contractCase, got map[string]any) {
	t.Helper()
	want := c.Original.Body
	names := slices.Sorted(maps.Keys(got))
	if !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Errorf("members %v, want %v", names, slices.Sorted(maps.Keys(want)))
	}
	fixed := []any{0.0, 1.0, 1002.0, 1004.0, 1005.0}
	if slices.Contains(fixed, want["error_code"]) || want["msg"] == "user not found" {
		if got["msg"] != want["msg"] {
			t.Errorf("msg %q, want %q", got["msg"], want["msg"])
		}
	}
	if got["request"] != want["request"] {
		t.Errorf("request %q, want %q", got["request"], want["request"])
	}
}
