package e2e_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestCarriers sends tokens in every accepted way, and in ways that must be rejected.
func TestCarriers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	addUser(t, dir, "a@b.cn")
	one, two := mustRun(t, dir, "", "token", "issue", "a@b.cn"), mustRun(t, dir, "", "token", "issue",
		"a@b.cn")
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
		{"Err/no token", nil, 401},
		{"Err/two headers", []string{bearer(one), basic(one, "")}, 401},
		{"Err/two tokens in one header", []string{basic(one, two)}, 401},
		{"Err/cookie and header differ", []string{"Cookie: latchkey=" + two, bearer(one)}, 401},
		{"Err/two cookies", []string{"Cookie: latchkey=" + two + "; latchkey=" + one}, 401},
		{"Err/host cookie over http", []string{"Cookie: __Host-latchkey=" + one}, 401},
		{"Err/tab", []string{"Authorization: Basic\t" + raw}, 401},
		{"Err/two blanks", []string{"Authorization: Basic  " + raw}, 401},
		{"Err/url alphabet", []string{"Authorization: Basic -_" + raw}, 401},
		{"Err/digest", []string{"Authorization: Digest " + raw}, 401},
		{"Err/no colon", []string{"Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(one))}, 401},
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
		checkStatus(t, "login", got, 201)
	})
	t.Run("no credential in the log", func(t *testing.T) {
		for _, credential := range []string{one, two, raw, "secret1"} {
			if strings.Contains(s.out.String(), credential) {
				t.Errorf("the log contains %q", credential)
			}
		}
	})
}

// TestScripts sends requests as browsers do. A page's own script gets no challenge; requests from
// other sites get 403.
func TestScripts(t *testing.T) {
	t.Parallel()
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
				t.Errorf("status %d, challenge %q, want 401 with %q", got.Status, h, test.challenge)
			}
		})
	}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
		"Origin: https://evil.example", "Origin: null"} {
		t.Run("Err/"+header, func(t *testing.T) {
			checkStatus(t, "login", request(t, "POST", s.URL+"/v1/token", "{}", asJSON, header), 403)
		})
	}
}
