package credstore

import (
	"strings"
	"testing"
)

// TestTargets: a token goes to the hosts of its login and to no other.
func TestTargets(t *testing.T) {
	login := Login{Hosts: []string{"login.example.com", "app.example.com:8443", "*.git.example.com",
		"[::1]:3000"}}
	insecure := Login{Hosts: []string{"app.example.com"}, Insecure: true}
	local := Login{Hosts: []string{"127.0.0.1:3000", "app.localhost:3000", "127.0.0.1"}}
	tests := []struct {
		name   string
		login  Login
		target string
		want   bool
	}{
		{"OK/host", login, "login.example.com", true},
		{"OK/URL", login, "https://login.example.com/a?b#c", true},
		{"OK/default port", login, "https://login.example.com:443", true},
		{"OK/upper case", login, "LOGIN.Example.com", true},
		{"OK/port", login, "https://app.example.com:8443/x", true},
		{"OK/subdomain", login, "https://a.git.example.com", true},
		{"OK/deep subdomain", login, "a.b.git.example.com", true},
		{"OK/IPv6", login, "http://[::1]:3000", true},
		{"OK/http to this machine", local, "http://127.0.0.1:3000/x", true},
		{"OK/port 80", local, "http://127.0.0.1:80", true},
		{"OK/localhost", local, "http://app.localhost:3000", true},
		{"OK/insecure", insecure, "http://app.example.com", true},
		{"Err/plain http", login, "http://login.example.com", false},
		{"Err/other port", login, "login.example.com:8443", false},
		{"Err/no port", login, "https://app.example.com", false},
		{"Err/the domain itself", login, "git.example.com", false},
		{"Err/same ending", login, "evil-login.example.com", false},
		{"Err/same ending without dot", login, "xgit.example.com", false},
		{"Err/same beginning", login, "login.example.com.evil.example", false},
		{"Err/subdomain of a host", login, "a.login.example.com", false},
		{"Err/final dot", login, "login.example.com.", false},
		{"Err/user name", login, "https://u@login.example.com", false},
		{"Err/host as user name", login, "https://login.example.com@evil.example", false},
		{"Err/escaped", login, "https://evil.example%2f.git.example.com", false},
		{"Err/backslash", login, `https://evil.example\.git.example.com`, false},
		{"Err/not ASCII", login, "https://ⓛogin.example.com", false},
		{"Err/other scheme", login, "ssh://login.example.com", false},
		{"Err/empty", login, "", false},
		{"Err/star", login, "*.git.example.com", false},
		{"Err/dots", login, "..git.example.com", false},
		{"Err/space", login, "a b.git.example.com", false},
		{"Err/newline", login, "a\n.git.example.com", false},
		{"Err/ports joined", Login{Hosts: []string{"localhost:8"}}, "http://localhost:0", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			target, err := ParseTarget(test.target)
			if got := err == nil && test.login.covers(target); got != test.want {
				t.Errorf("%q: %v (%v)", test.target, got, err)
			}
		})
	}
}

// TestNormalize: a login is for a server with a scheme and a host and nothing else, by https unless
// it is on this machine, and for hosts below a domain of at least two labels.
func TestNormalize(t *testing.T) {
	with := func(hosts ...string) Login { return Login{URL: "https://a.example", Hosts: hosts} }
	tests := []struct {
		name     string
		login    Login
		url, err string
	}{
		{"OK", Login{URL: "https://A.example.com/"}, "https://a.example.com", ""},
		{"OK/this machine", Login{URL: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", ""},
		{"OK/insecure", Login{URL: "http://a.example.com", Insecure: true}, "http://a.example.com", ""},
		{"OK/hosts", with("B.example:1", "*.c.example"), "https://a.example", ""},
		{"Err/plain http", Login{URL: "http://a.example.com"}, "", "plain http"},
		{"Err/no scheme", Login{URL: "a.example.com"}, "", "is not the URL"},
		{"Err/path", Login{URL: "https://a.example.com/x"}, "", "is not the URL"},
		{"Err/user name", Login{URL: "https://u:p@a.example.com"}, "", "is not the URL"},
		{"Err/any host", with("*"), "", "is not a host"},
		{"Err/any host in com", with("*.com"), "", "is not a host"},
		{"Err/URL as host", with("https://b.example"), "", "is not a host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.login.Normalize()
			ok := err == nil && test.login.URL == test.url
			if test.err != "" {
				ok = err != nil && strings.Contains(err.Error(), test.err)
			}
			if !ok {
				t.Errorf("%q, %v", test.login.URL, err)
			}
		})
	}
}
