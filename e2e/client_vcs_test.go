//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// versionControl are git, Mercurial and Subversion.
func versionControl() []httpClient {
	version := []string{"git", "--version"}
	return []httpClient{
		{name: "git clone, address", version: version, behind: smartGit, run: func(c *call) bool {
			return c.git("clone", c.userURL()+"/project.git")
		}},
		{name: "git clone over plain files, address", version: version, behind: dumbGit,
			run: func(c *call) bool { return c.git("clone", c.userURL()+"/project.git") }},
		{name: "git clone, credential helper `store`", version: version, behind: smartGit,
			expired: output("fatal: Authentication failed", "exit 128", ".git-credentials has 0 bytes"),
			run: func(c *call) bool {
				c.file(".gitconfig", c.recipe("git", "gitconfig"))
				credentials := c.configure(".git-credentials", "git", "git-credentials")
				done := c.git("clone", c.url+"/project.git")
				if info, err := os.Stat(credentials); err == nil {
					fmt.Fprintf(&c.printed, ".git-credentials has %d bytes\n", info.Size())
				}
				return done
			}},
		{name: "git clone, `.netrc`", version: version, behind: smartGit,
			expired: output("could not read Username", "exit 128"), run: func(c *call) bool {
				c.netrc("git", "127.0.0.1")
				return c.git("clone", c.url+"/project.git")
			}},
		{name: "git push, credential helper `store`", version: version, behind: smartGit,
			expired: output("fatal: Authentication failed"), run: func(c *call) bool {
				c.file(".gitconfig", c.recipe("git", "gitconfig"))
				c.configure(".git-credentials", "git", "git-credentials")
				return c.git("-C", "source", "push", c.url+"/project.git", "main:pushed")
			}},
		{name: "Mercurial, `[auth]`", version: []string{"hg", "--version"}, behind: mercurial,
			needsPassword: true, run: func(c *call) bool {
				login := fmt.Sprintf("[auth]\ndoor.prefix = %s\ndoor.username = %s\ndoor.password = %s\n",
					c.url, c.user, c.password)
				c.file(".hgrc", strings.Join(c.with([]string{login}), ""))
				return c.exits("hg", "--noninteractive", "clone", c.url, "copy")
			}},
		{name: "Subversion `--username --password`", version: []string{"svn", "--version"},
			behind: subversion, run: func(c *call) bool {
				login := []string{"--username", c.user, "--password", c.password}
				return c.prints("hello.txt", "svn", c.with(login, "list", "--non-interactive",
					"--no-auth-cache", c.url)...)
			}},
	}
}

// git runs git without prompts and with no other configuration than the call's.
func (c *call) git(args ...string) bool {
	c.env = append(c.env, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
	return c.exits("git", args...)
}

// bareGit creates a repository with one commit, "source", and returns a folder with a bare copy of
// it.
func bareGit(c *call) (folder string) {
	c.file("source/hello.txt", behindText)
	folder = filepath.Join(c.dir, "served")
	for _, args := range [][]string{
		{"init", "-q", "-b", "main", "source"},
		{"-C", "source", "add", "hello.txt"},
		{"-C", "source", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m",
			"Hello"},
		{"clone", "-q", "--bare", "source", filepath.Join(folder, "project.git")},
		{"-C", filepath.Join(folder, "project.git"), "update-server-info"},
	} {
		if !c.git(args...) {
			c.t.Fatal(&c.printed)
		}
	}
	return folder
}

// dumbGit serves a repository as plain files.
func dumbGit(c *call) http.Handler { return http.FileServer(http.Dir(bareGit(c))) }

// smartGit serves a repository with git http-backend.
func smartGit(c *call) http.Handler {
	folder := bareGit(c)
	where, _ := c.command("git", "--exec-path")
	return &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(where), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ann"},
	}
}

// mercurial serves a repository with hg serve.
func mercurial(c *call) http.Handler {
	c.file("source/hello.txt", behindText)
	for _, args := range [][]string{{"init", "source"}, {"-R", "source", "commit", "-A", "-u", "ann",
		"-m", "Hello"}} {
		if !c.exits("hg", args...) {
			c.t.Fatal(&c.printed)
		}
	}
	address := freeAddress(c.t)
	_, port, _ := strings.Cut(address, ":")
	daemon(c.t, address, c.dir, "hg", "-R", "source", "serve", "-a", "127.0.0.1", "-p", port)
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
}
