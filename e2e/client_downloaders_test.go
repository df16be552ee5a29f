//go:build e2e

package e2e_test

import "strings"

const quotedEmpty = "It sends an empty password as `\"\"`, which Latchkey ignores."

// curlAndWget are the ways to fetch a URL with curl and wget.
func curlAndWget() []httpClient {
	curl, wget, wget2 := []string{"curl", "--version"}, []string{"wget", "--version"}, []string{"wget2", "--version"}
	rejectedByCurl := output("The requested URL returned error: 401", "exit 22")
	rejectedByWget := output("Username/Password Authentication Failed", "exit 6")
	return []httpClient{
		{name: "curl `-u`", version: curl, run: func(c *call) bool {
			return c.gets("curl", c.with([]string{"-u", c.pair()}, "-qsSf", c.url)...)
		}},
		{name: "curl `-u --anyauth`", version: curl, run: func(c *call) bool {
			return c.gets("curl", c.with([]string{"-u", c.pair()}, "-qsSf", "--anyauth", c.url)...)
		}},
		{name: "curl, address", version: curl, run: func(c *call) bool { return c.gets("curl", "-qsSf", c.userURL()) }},
		{name: "curl `-K`", version: curl, expired: rejectedByCurl, run: func(c *call) bool {
			return c.gets("curl", "-sSf", "-K", c.configure("latchkey.curl", "curl", "curl-config"), c.url)
		}},
		{name: "curl, `.netrc`", version: curl, expired: rejectedByCurl, run: func(c *call) bool {
			c.netrc("curl", "127.0.0.1")
			return c.gets("curl", "-sSf", "--netrc", c.url)
		}},
		{name: "wget `--user --password`", version: wget, run: func(c *call) bool {
			return c.gets("wget", c.with([]string{"--user=" + c.user, "--password=" + c.password}, "-O-", c.url)...)
		}},
		{name: "wget `--auth-no-challenge`", version: wget, run: func(c *call) bool {
			login := []string{"--auth-no-challenge", "--user=" + c.user, "--password=" + c.password}
			return c.gets("wget", c.with(login, "-O-", c.url)...)
		}},
		{name: "wget, `.netrc`", version: wget, expired: rejectedByWget,
			run: func(c *call) bool {
				c.netrc("curl", "127.0.0.1")
				return c.gets("wget", "-O-", c.url)
			}},
		{name: "wget, `.wgetrc`", version: wget, expired: rejectedByWget,
			run: func(c *call) bool {
				c.configure(".wgetrc", "curl", "wgetrc")
				return c.gets("wget", "-O-", c.url)
			}},
		{name: "wget2 `--user --password`", version: wget2, run: func(c *call) bool {
			return c.gets("wget2", c.with([]string{"--user=" + c.user, "--password=" + c.password}, "-O-", c.url)...)
		}},
	}
}

// otherDownloaders are the clients that fetch one URL, except curl and wget.
func otherDownloaders() []httpClient {
	httpie, aria2 := []string{"http", "--version"}, []string{"aria2c", "--version"}
	return []httpClient{
		{name: "HTTPie `-a`", version: httpie, run: func(c *call) bool {
			return c.httpie(c.with([]string{"-a", c.pair()}, c.url)...)
		}},
		{name: "HTTPie, `.netrc`", version: httpie, expired: output("401 Unauthorized", "exit 4"), run: func(c *call) bool {
			c.netrc("curl", "127.0.0.1")
			return c.httpie(c.url)
		}},
		{name: "aria2 `--http-user --http-passwd`", version: aria2, run: func(c *call) bool {
			login := []string{"--http-user=" + c.user, "--http-passwd=" + c.password}
			return c.exits("aria2c", c.with(login, "--no-conf", c.url+"/page")...)
		}},
		{name: "aria2, `.netrc`", version: aria2, note: quotedEmpty,
			expired: output("Authorization failed", "exit 24"), run: func(c *call) bool {
				c.netrc("curl", "127.0.0.1")
				return c.exits("aria2c", "--no-conf", c.url+"/page")
			}},
		{name: "lynx `-auth`", version: []string{"lynx", "-version"}, run: func(c *call) bool {
			return c.gets("lynx", c.with([]string{"-auth=" + c.pair()}, "-dump", c.url)...)
		}},
		{name: "w3m, address", version: []string{"w3m", "-version"}, run: func(c *call) bool {
			return c.gets("w3m", "-dump", c.userURL())
		}},
		{name: "ab `-A`", version: []string{"ab", "-V"}, run: func(c *call) bool {
			out, code := c.command("ab", c.with([]string{"-A", c.pair()}, "-n", "1", c.url+"/")...)
			return code == 0 && !strings.Contains(out, "Non-2xx responses")
		}},
	}
}

// httpie runs HTTPie without its check for updates.
func (c *call) httpie(args ...string) bool {
	c.file(".config/httpie/config.json", `{"disable_update_warnings": true}`)
	return c.gets("http", append([]string{"--ignore-stdin", "--check-status"}, args...)...)
}
