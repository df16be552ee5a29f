//go:build e2e

package e2e_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const overTLS = "go needs TLS to send credentials."

// packageManagers are clients that fetch packages from a repository.
func packageManagers() []httpClient {
	apt, pip := []string{"apt-get", "--version"}, []string{"/usr/bin/python3", "-m", "pip", "--version"}
	rejectedByNpm, npm := output("code E401", "exit 1"), []string{"npm", "--version"}
	return []httpClient{
		{name: "apt, `auth.conf`", version: apt, behind: aptRepository, expired: output("401  Unauthorized", "exit 100"),
			note: "For the user-name slot leave `password` out: apt sends `\"\"` as two quotes.",
			run: func(c *call) bool {
				swap := []string{}
				if c.password == "" {
					swap = []string{" password TOKEN", ""}
				}
				c.configure("etc/apt/auth.conf.d/files.conf", "apt", "auth", swap...)
				return c.apt(c.recipe("apt", "sources", "signed-by=/etc/apt/keyrings/files.gpg", "trusted=yes"))
			}},
		{name: "apt, address", version: apt, behind: aptRepository, run: func(c *call) bool {
			return c.apt("deb [trusted=yes] " + c.userURL() + "/debian ./\n")
		}},
		{name: "pip, `.netrc`", version: pip, behind: pipIndex, expired: output("No matching distribution found", "exit 1"),
			run: func(c *call) bool {
				c.netrc("pip", "127.0.0.1")
				c.file(".config/pip/pip.conf", c.recipe("pip", "pip-conf"))
				return c.pip()
			}},
		{name: "pip, address", version: pip, behind: pipIndex, run: func(c *call) bool {
			return c.pip("--no-input", "--index-url", c.userURL()+"/simple/")
		}},
		{name: "npm, `_auth`", version: npm, behind: npmRegistry, expired: rejectedByNpm, run: func(c *call) bool {
			return c.npm("basic", "encode")
		}},
		{name: "npm, `username` and `_password`", version: npm, behind: npmRegistry, expired: rejectedByNpm,
			needsPassword: true, run: func(c *call) bool { return c.npm("password", "encode-password") }},
	}
}

// buildTools are clients that fetch the dependencies of a project.
func buildTools() []httpClient {
	rejectedByMaven := output("authentication failed for", "status: 401 Unauthorized", "exit 1")
	rejectedByGo := output("401 Unauthorized", "exit 1")
	maven, golang := []string{"mvn", "--version"}, []string{"go", "version"}
	return []httpClient{
		{name: "Maven, `<server>`", version: maven, behind: mavenRepository, expired: rejectedByMaven, needsPassword: true,
			run: func(c *call) bool { return c.maven(c.recipe("maven", "settings")) }},
		{name: "Maven, `<httpHeaders>`", version: maven, behind: mavenRepository, expired: rejectedByMaven,
			run: func(c *call) bool {
				server := c.recipe("maven", "header", "BASE64", c.encoded("maven", "encode"))
				settings := c.recipe("maven", "settings")
				return c.maven(regexp.MustCompile(`(?s)<server>.*</server>`).ReplaceAllLiteralString(settings, server))
			}},
		{name: "RubyGems, address", version: []string{"gem", "--version"}, behind: gemServer, run: func(c *call) bool {
			return c.prints("hello (1.0)", "gem", "list", "--remote", "--clear-sources", "--source", c.userURL())
		}},
		{name: "Go modules, `.netrc`", version: golang, behind: goProxy, tls: true,
			note: overTLS + " " + quotedEmpty, expired: rejectedByGo, run: func(c *call) bool {
				c.netrc("go", c.host)
				return c.goMod()
			}},
		{name: "Go modules, `GOAUTH` command", version: golang, behind: goProxy, tls: true, note: overTLS,
			expired: rejectedByGo, run: func(c *call) bool {
				helper := c.file("goauth", "")
				if c.pair() != ":" {
					writeProgram(c.t, helper, []byte(c.recipe("go", "goauth")))
				}
				must(c.t, os.Chmod(helper, 0o700))
				c.file(".files-token", c.password)
				return c.goMod(c.with([]string{"GOAUTH=" + helper})...)
			}},
		{name: "Go modules, address", version: golang, behind: goProxy, tls: true, note: overTLS, run: func(c *call) bool {
			return c.goMod("GOPROXY=" + c.userURL() + "/goproxy")
		}},
	}
}

// files serves files from memory; content maps paths to texts.
func files(content map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := content[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, strings.ReplaceAll(body, "http://SELF", "http://"+r.Host))
	})
}

// zipped returns a zip archive.
func zipped(c *call, content map[string]string) string {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, text := range content {
		file, err := archive.Create(name)
		must(c.t, err)
		_, err = io.WriteString(file, text)
		must(c.t, err)
	}
	must(c.t, archive.Close())
	return out.String()
}

// aptRepository serves the list of one package.
func aptRepository(*call) http.Handler {
	return files(map[string]string{"/debian/./Packages": "Package: hello\nVersion: 1.0\nArchitecture: all\n" +
		"Maintainer: Ann <ann@example.com>\nFilename: ./hello.deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) +
		"\nDescription: says hello\n"})
}

// apt reads the package lists of a source, with the call's home directory as the root directory.
func (c *call) apt(source string) bool {
	c.file("etc/apt/sources.list", source)
	c.file("var/lib/dpkg/status", "")
	for _, folder := range []string{"var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"} {
		must(c.t, os.MkdirAll(filepath.Join(c.dir, folder), 0o755))
	}
	c.env = append(c.env, "APT_CONFIG="+c.file("apt.conf", fmt.Sprintf("Dir %q; Dir::State::status %q; "+
		"APT::Sandbox::User \"root\"; Acquire::Languages \"none\"; Acquire::Retries \"0\";\n",
		c.dir, c.dir+"/var/lib/dpkg/status")))
	return c.exits("apt-get", "update") && c.prints("hello", "apt-cache", "search", "hello")
}

// pipIndex serves one Python package.
func pipIndex(c *call) http.Handler {
	const wheel = "hello-1.0-py3-none-any.whl"
	return files(map[string]string{
		"/simple/hello/": `<!doctype html><a href="/` + wheel + `">` + wheel + "</a>",
		"/" + wheel: zipped(c, map[string]string{
			"hello-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
			"hello-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
			"hello-1.0.dist-info/RECORD":   "",
		}),
	})
}

// pip downloads the package.
func (c *call) pip(args ...string) bool {
	return c.exits("/usr/bin/python3", append([]string{"-m", "pip", "download", "--disable-pip-version-check",
		"--no-deps", "-d", "packages", "hello"}, args...)...)
}

// npmRegistry serves one npm package.
func npmRegistry(c *call) http.Handler {
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressed)
	text := `{"name":"hello","version":"1.0.0"}`
	must(c.t, archive.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(text))}))
	_, err := io.WriteString(archive, text)
	must(c.t, err)
	must(c.t, archive.Close())
	must(c.t, compressed.Close())
	return files(map[string]string{
		"/npm/hello": `{"name":"hello","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"hello",` +
			`"version":"1.0.0","dist":{"tarball":"http://SELF/npm/hello.tgz"}}}}`,
		"/npm/hello.tgz": packed.String(),
	})
}

// npm downloads the package. block is the recipe's block with the credentials, in which BASE64
// stands for the output of the block encode.
func (c *call) npm(block, encode string) bool {
	login := c.recipe("npm", block, "BASE64", c.encoded("npm", encode))
	c.file(".npmrc", c.recipe("npm", "registry")+strings.Join(c.with([]string{login}), ""))
	return c.exits("npm", "pack", "hello")
}

// TestClientsNpmBearer downloads a package with npm's _authToken, which npm sends as Bearer.
func TestClientsNpmBearer(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for name, test := range map[string]struct {
		token string
		want  bool
	}{"good": {m.good, true}, "tampered": {m.tampered, false}} {
		run := &call{t: t, dir: t.TempDir(), password: test.token}
		arrived := m.serve(run, httpClient{behind: npmRegistry})
		run.file(".npmrc", run.recipe("npm", "registry")+run.recipe("npm", "bearer"))
		if got := run.exits("npm", "pack", "hello"); got != test.want || arrived.Load() != test.want {
			t.Errorf("%s token: succeeds: %v, want %v; npm prints:\n%s", name, got, test.want, &run.printed)
		}
	}
}

const pom = `<project><modelVersion>4.0.0</modelVersion>%s<artifactId>%s</artifactId><version>1.0</version>` +
	`<packaging>pom</packaging></project>`

// mavenRepository serves one Maven project.
func mavenRepository(*call) http.Handler {
	return files(map[string]string{
		"/maven/com/example/parent/1.0/parent-1.0.pom": fmt.Sprintf(pom, "<groupId>com.example</groupId>", "parent"),
	})
}

// maven validates a project whose parent is in the repository.
func (c *call) maven(settings string) bool {
	if c.pair() == ":" {
		settings = regexp.MustCompile(`(?s)<servers>.*</servers>`).ReplaceAllString(settings, "")
	}
	c.file("settings.xml", settings)
	c.file("pom.xml", fmt.Sprintf(pom, "<parent><groupId>com.example</groupId><artifactId>parent</artifactId>"+
		"<version>1.0</version></parent>", "child"))
	c.env = append(c.env, "MAVEN_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.home="+c.dir)
	return c.exits("mvn", "-B", "-q", "-s", "settings.xml", "-Dmaven.repo.local="+c.dir+"/m2", "validate")
}

// gemServer serves the index of one Ruby gem.
func gemServer(c *call) http.Handler {
	index, code := c.command("ruby", "-rrubygems", "-e", `$stdout.binmode; print Gem::Util.gzip(Marshal.dump(`+
		`[["hello", Gem::Version.new("1.0"), "ruby"]]))`)
	if code != 0 {
		c.t.Fatal(index)
	}
	return files(map[string]string{"/specs.4.8.gz": index, "/latest_specs.4.8.gz": index})
}

// goProxy serves one Go module.
func goProxy(c *call) http.Handler {
	const module = "module example.com/hello\n"
	return files(map[string]string{
		"/goproxy/example.com/hello/@v/v1.0.0.info": `{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}`,
		"/goproxy/example.com/hello/@v/v1.0.0.mod":  module,
		"/goproxy/example.com/hello/@v/v1.0.0.zip":  zipped(c, map[string]string{"example.com/hello@v1.0.0/go.mod": module}),
	})
}

// goMod downloads the module with the environment of the recipe.
func (c *call) goMod(env ...string) bool {
	c.env = append(c.env, "SSL_CERT_FILE="+c.ca, "GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw")
	c.env = append(c.env, strings.Fields(c.recipe("go", "environment"))...)
	c.env = append(c.env, env...)
	return c.exits("go", "mod", "download", "example.com/hello@v1.0.0")
}
