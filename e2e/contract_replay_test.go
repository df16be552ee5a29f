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
	"time"
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
	mustRun(t, other, "123456\n", "user", "add", "999@qq.com", "--nickname", "Super", "--secret-stdin")
	tokens["wrongkey"] = mustRun(t, other, "", "token", "issue", "999@qq.com")
	mustRun(t, s.Dir, "abc123\n", "user", "add", "ghost@qq.com", "--nickname", "Ghost", "--secret-stdin")
	tokens["ghost"] = mustRun(t, s.Dir, "", "token", "issue", "ghost@qq.com")
	mustRun(t, s.Dir, "", "user", "delete", "ghost@qq.com")
	await(t, "the deletion to be seen", func() bool {
		return request(t, "GET", s.URL+"/v1/user", "", bearer(tokens["ghost"])).Status == 401
	})
}

func bearer(token string) string { return "Authorization: Bearer " + token }

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// await polls until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
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

// TestCarriers shows the ways to carry a token, and what is refused.
func TestCarriers(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	mustRun(t, dir, "secret1\n", "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin")
	one, two := mustRun(t, dir, "", "token", "issue", "a@b.cn"), mustRun(t, dir, "", "token", "issue", "a@b.cn")
	raw := base64.StdEncoding.EncodeToString([]byte(one + ":"))
	tests := []struct {
		name    string
		headers []string
		want    int
	}{
		{"OK/user name", []string{basic(one, "")}, 200},
		{"OK/user name with a password", []string{basic(one, "x-oauth-basic")}, 200},
		{"OK/password", []string{basic("anyone", one)}, 200},
		{"OK/lower case scheme", []string{"Authorization: basic " + raw}, 200},
		{"OK/bearer", []string{bearer(one)}, 200},
		{"OK/cookie", []string{"Cookie: latchkey=" + one}, 200},
		{"OK/cookie and header agree", []string{"Cookie: latchkey=" + one, bearer(one)}, 200},
		{"Err/none", nil, 401},
		{"Err/two headers", []string{bearer(one), basic(one, "")}, 401},
		{"Err/two tokens in one header", []string{basic(one, two)}, 401},
		{"Err/cookie and header differ", []string{"Cookie: latchkey=" + two, bearer(one)}, 401},
		{"Err/two cookies", []string{"Cookie: latchkey=" + two + "; latchkey=" + one}, 401},
		{"Err/host cookie over http", []string{"Cookie: __Host-latchkey=" + one}, 401},
		{"Err/tab", []string{"Authorization: Basic\t" + raw}, 401},
		{"Err/two blanks", []string{"Authorization: Basic  " + raw}, 401},
		{"Err/url alphabet", []string{"Authorization: Basic -_" + raw}, 401},
		{"Err/digest", []string{"Authorization: Digest " + raw}, 401},
		{"Err/no colon", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(one))}, 401},
		{"Err/query", nil, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := request(t, "GET", s.URL+"/v1/user?token="+one, "", test.headers...)
			if got.Status != test.want {
				t.Errorf("status %d, want %d: %s", got.Status, test.want, got.Body)
			}
		})
	}
	t.Run("OK/log in by Basic", func(t *testing.T) {
		got := request(t, "POST", s.URL+"/v1/token", "", basic("A@B.cn", "secret1"))
		if got.Status != 201 {
			t.Errorf("status %d: %s", got.Status, got.Body)
		}
	})
	t.Run("the log holds no credential", func(t *testing.T) {
		for _, secret := range []string{one, two, raw, "secret1"} {
			if strings.Contains(s.out.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// TestScripts shows that a page's own script gets no challenge, and another site's page gets nothing.
func TestScripts(t *testing.T) {
	s := start(t, t.TempDir())
	tests := []struct {
		name, header, challenge string
	}{
		{"program", "X-Nothing: 1", `Basic realm="latchkey", charset="UTF-8"`},
		{"navigation", "Sec-Fetch-Dest: document", `Basic realm="latchkey", charset="UTF-8"`},
		{"fetch", "Sec-Fetch-Dest: empty", ""},
		{"XMLHttpRequest", "X-Requested-With: XMLHttpRequest", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := request(t, "GET", s.URL+"/v1/user", "", test.header)
			if h := got.Header.Get("WWW-Authenticate"); got.Status != 401 || h != test.challenge {
				t.Errorf("status %d, challenge %q, want %q", got.Status, h, test.challenge)
			}
		})
	}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Origin: https://evil.example", "Origin: null"} {
		t.Run("Err/"+header, func(t *testing.T) {
			if got := request(t, "POST", s.URL+"/v1/token", "{}", asJSON, header); got.Status != 403 {
				t.Errorf("status %d: %s", got.Status, got.Body)
			}
		})
	}
}
