//go:build e2e

package e2e_test

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
)

// languages are HTTP libraries of programming languages.
func languages() []httpClient {
	python := func(library string) func(c *call) bool { return script(library, "/usr/bin/python3", "fetch.py") }
	library := func(name string) []string {
		return []string{"/usr/bin/python3", "-c", "import " + name + " as m; print(m.__version__)"}
	}
	standard := []string{"/usr/bin/python3", "--version"}
	java := func(library string) func(c *call) bool {
		return script(library, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "Fetch.java")
	}
	jdk, ruby, node := []string{"java", "--version"}, []string{"ruby", "--version"}, []string{"node", "--version"}
	perl := func(module string) []string {
		return []string{"perl", "-M" + module, "-e", "print $" + module + "::VERSION"}
	}
	lwp, php := perl("LWP"), []string{"php", "--version"}
	return []httpClient{
		{name: "Python urllib", version: standard, run: python("urllib")},
		{name: "Python http.client", version: standard, run: python("http_client")},
		{name: "Python requests", version: library("requests"), run: python("requests")},
		{name: "Python requests, `.netrc`", version: library("requests"), run: func(c *call) bool {
			c.netrc("curl", "127.0.0.1")
			return c.gets("/usr/bin/python3", clientFile(c, "fetch.py"), "requests", c.url)
		}},
		{name: "Python httpx", version: library("httpx"), run: python("httpx")},
		{name: "Python aiohttp", version: library("aiohttp"), run: python("aiohttp")},
		{name: "Ruby Net::HTTP", version: ruby, run: script("net-http", "ruby", "fetch.rb")},
		{name: "Ruby open-uri", version: ruby, run: script("open-uri", "ruby", "fetch.rb")},
		{name: "Java HttpClient, Authenticator", version: jdk, run: java("authenticator")},
		{name: "Java HttpClient, header", version: jdk, run: java("header")},
		{name: "Java HttpURLConnection", version: jdk, run: java("connection")},
		{name: "Node fetch", version: node, run: script("fetch", "node", "fetch.mjs")},
		{name: "Node http", version: node, run: script("http", "node", "fetch.mjs")},
		{name: "Perl LWP, credentials", version: lwp, note: "It must know the realm, `latchkey`.",
			run: script("credentials", "perl", "fetch.pl")},
		{name: "Perl LWP, header", version: lwp, run: script("header", "perl", "fetch.pl")},
		{name: "Perl HTTP::Tiny", version: perl("HTTP::Tiny"), run: script("tiny", "perl", "fetch.pl")},
		{name: "PHP curl", version: php, run: script("curl", "php", "fetch.php")},
		{name: "PHP streams, header", version: php, run: script("stream-header", "php", "fetch.php")},
		{name: "PHP streams, address", version: php, run: script("stream-address", "php", "fetch.php")},
		{name: "Go net/http, SetBasicAuth", version: []string{"go", "version"}, run: func(c *call) bool {
			return c.fetch(c.url, func(r *http.Request) { r.SetBasicAuth(c.user, c.password) })
		}},
		{name: "Go net/http, address", version: []string{"go", "version"}, run: func(c *call) bool {
			return c.fetch(c.userURL(), func(*http.Request) {})
		}},
	}
}

// clientFile returns the absolute path of a file in testdata/clients.
func clientFile(c *call, name string) string {
	path, err := filepath.Abs(filepath.Join("testdata/clients", name))
	must(c.t, err)
	return path
}

// script runs a program in testdata/clients, the last word of command; library selects the library.
func script(library string, command ...string) func(c *call) bool {
	return func(c *call) bool {
		last := len(command) - 1
		args := slices.Concat(command[1:last], []string{clientFile(c, command[last]), library, c.url})
		if c.pair() != ":" {
			args = append(args, c.user, c.password)
		}
		return c.gets(command[0], args...)
	}
}

// fetch uses Go's http.Client.
func (c *call) fetch(url string, login func(*http.Request)) bool {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	must(c.t, err)
	if c.pair() != ":" {
		login(req)
	}
	resp, err := http.DefaultClient.Do(req)
	must(c.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(c.t, err)
	return resp.StatusCode == http.StatusOK && strings.Contains(string(body), behindText)
}
