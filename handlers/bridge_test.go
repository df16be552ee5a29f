package handlers

import (
	"encoding/base64"
	"testing"

	"latchkey/auth"
)

// TestBridge: only verify accepts an account and its password, and only with --bridge.
func TestBridge(t *testing.T) {
	off := newHarness(t, auth.Options{})
	on := newHarness(t, auth.Options{})
	bridge, err := auth.NewBridge(on.authority)
	must(t, err)
	config := on.server.config
	config.Bridge = bridge
	on.server = New(config)
	pair := func(password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("root@example.com:"+password))
	}
	tests := []struct {
		name, target string
		harness      *harness
		headers      []string
		want         int
	}{
		{"OK", "/v1/verify", on, []string{pair("secret1")}, 200},
		{"OK/scope", "/v1/verify?scope=AdminScope", on, []string{pair("secret1")}, 200},
		{"OK/any", "/v1/verify?scope=any", on, []string{pair("secret1")}, 200},
		{"OK/token", "/v1/verify", on, []string{"Authorization: Bearer " + on.admin}, 200},
		{"Err/wrong", "/v1/verify", on, []string{pair("secret2")}, 401},
		{"Err/and a cookie", "/v1/verify", on, []string{pair("secret1"), "Cookie: latchkey=" + on.admin}, 401},
		{"Err/off", "/v1/verify", off, []string{pair("secret1")}, 401},
		{"Err/the API", "/v1/user", on, []string{pair("secret1")}, 401},
		{"Err/Bearer", "/v1/verify", on, []string{"Authorization: Bearer root@example.com:secret1"}, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := test.harness.ask("GET", test.target, "", test.headers...)
			if w.Code != test.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, test.want)
			}
		})
	}
	w := on.ask("GET", "/v1/verify", "", pair("secret1"))
	for name, want := range map[string]string{"X-Auth-Uid": "1", "X-Auth-Account": "root@example.com",
		"X-Auth-Type": "100", "X-Auth-Scope": "AdminScope", "X-Auth-Token-Id": "bridge"} {
		if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
}
