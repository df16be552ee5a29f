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

// contractCase is one recorded request and the original's answer; see testdata/cases.json.
type contractCase struct {
	ID, Method, Path, Body string
	Headers                map[string]string
	Original               struct {
		Status int
		Body   map[string]any
	}
	Latchkey json.RawMessage
}

// expected is what Latchkey must answer: the original's, or what the case says instead.
func (c contractCase) expected(t *testing.T) (status int, code any, same bool) {
	t.Helper()
	if string(c.Latchkey) == `"same"` {
		return c.Original.Status, c.Original.Body["error_code"], true
	}
	var other struct {
		Status    int `json:"status"`
		ErrorCode any `json:"error_code"`
	}
	if err := json.Unmarshal(c.Latchkey, &other); err != nil {
		t.Fatal(err)
	}
	return other.Status, other.ErrorCode, false
}

var toEncode = regexp.MustCompile(`b64\(([^)]*)\)`)

// fill puts the captured tokens and the base64 of credentials into a text of a case.
func fill(text string, tokens map[string]string) string {
	for name, token := range tokens {
		text = strings.ReplaceAll(text, "{{"+name+"}}", token)
	}
	return toEncode.ReplaceAllStringFunc(text, func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(toEncode.FindStringSubmatch(s)[1]))
	})
}

func readCases(t *testing.T) []contractCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []contractCase }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 50 {
		t.Fatalf("only %d cases", len(file.Cases))
	}
	return file.Cases
}

// foreignTokens are tokens that a server must refuse: signed by another server's key, and of a user whose
// account is gone.
func foreignTokens(t *testing.T, s *server, tokens map[string]string) {
	t.Helper()
	other := t.TempDir()
	mustRun(t, other, "123456\n", "user", "add", "999@qq.com", "--nickname", "Super", "--secret-stdin", "--init")
	tokens["wrongkey"] = mustRun(t, other, "", "token", "issue", "999@qq.com")
	mustRun(t, s.Dir, "abc123\n", "user", "add", "ghost@qq.com", "--nickname", "Ghost", "--secret-stdin")
	tokens["ghost"] = mustRun(t, s.Dir, "", "token", "issue", "ghost@qq.com")
	mustRun(t, s.Dir, "", "user", "delete", "ghost@qq.com", "--yes")
	await(t, "the deletion to be seen", func() bool {
		return request(t, "GET", s.URL+"/v1/user", "", bearer(tokens["ghost"])).Status == 401
	})
}

// TestContract replays the recorded cases in order against the real binary, each answer also against the
// OpenAPI description.
func TestContract(t *testing.T) {
	replayContract(t, start(t, t.TempDir()))
}

// replayContract replays every recorded request.
func replayContract(t *testing.T, s *server) {
	t.Helper()
	mustRun(t, s.Dir, "123456\n", "user", "add", "999@qq.com", "--nickname", "Super", "--admin", "--secret-stdin")
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
			t.Errorf("msg %q", body["msg"])
		}
	}
}

// compareBodies holds an answer that must be the original's to its member names, and to its msg where the
// wording is part of the contract.
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
