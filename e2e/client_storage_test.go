//go:build e2e

package e2e_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

// storage are clients of WebDAV, backup stores, container registries and metrics.
func storage() []httpClient {
	rclone, skopeo := []string{"rclone", "version"}, []string{"skopeo", "--version"}
	return []httpClient{
		{name: "Prometheus `basic_auth`", version: []string{"prometheus", "--version"}, behind: metrics,
			expired: output("server returned HTTP status 401 Unauthorized"), run: (*call).prometheus},
		{name: "rclone, WebDAV", version: rclone, behind: webDAV, run: func(c *call) bool {
			obscured, _ := c.command("rclone", "obscure", c.password)
			login := []string{"--webdav-user", c.user, "--webdav-pass", strings.TrimSpace(obscured)}
			if c.password == "" {
				login = login[:2]
			}
			return c.gets("rclone", c.with(login, "cat", ":webdav:hello.txt", "--webdav-url", c.url,
				"--retries", "1")...)
		}},
		{name: "rclone, HTTP address", version: rclone, behind: webDAV, run: func(c *call) bool {
			return c.gets("rclone", "cat", ":http:hello.txt", "--http-url", c.userURL(), "--retries", "1")
		}},
		{name: "restic, REST address", version: []string{"restic", "version"}, behind: resticStore, run: func(c *call) bool {
			c.env = append(c.env, "RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=rest:"+c.userURL()+"/")
			return c.exits("restic", "--no-cache", "init") && c.exits("restic", "--no-cache", "cat",
				"config")
		}},
		{name: "cadaver, `.netrc`", version: []string{"cadaver", "-V"}, behind: webDAV, run: func(c *call) bool {
			c.netrc("curl", "127.0.0.1")
			return c.prints("hello.txt", "cadaver", "-r", c.file("commands", "open "+c.url+"/\nls\nquit\n"))
		}},
		{name: "skopeo inspect, authentication file", version: skopeo, behind: registry,
			expired: output("unauthorized", "exit 1"), run: func(c *call) bool {
				auth := c.configure("auth.json", "docker", "auth", "BASE64", c.encoded("docker", "encode"))
				if c.pair() == ":" {
					c.file("auth.json", "{}")
				}
				return c.exits("skopeo", "inspect", "--tls-verify=false", "--authfile", auth,
					"docker://"+c.host+"/hello")
			}},
		{name: "skopeo login", version: skopeo, behind: registry, needsPassword: true, run: func(c *call) bool {
			c.file("files-token", c.password)
			c.env = append(c.env, "REGISTRY_AUTH_FILE="+c.dir+"/auth.json")
			return c.exits("sh", "-c", c.recipe("docker", "login", "skopeo login",
				"skopeo login --tls-verify=false"))
		}},
	}
}

// metrics serves one metric.
func metrics(*call) http.Handler {
	return files(map[string]string{"/metrics": "# TYPE behind gauge\nbehind 1\n"})
}

// prometheus waits for a scrape with the credentials and returns whether the target is up.
func (c *call) prometheus() bool {
	c.file("files-token", c.password)
	written := time.Now()
	if c.daemon == "" {
		c.startPrometheus()
	}
	var targets struct {
		Data struct {
			ActiveTargets []struct {
				Health, LastError string
				LastScrape        time.Time
			}
		}
	}
	await(c.t, "a scrape in time", func() bool {
		got, err := tryRequest("GET", "http://"+c.daemon+"/api/v1/targets?state=active", "")
		if err != nil || json.Unmarshal([]byte(got.Body), &targets) != nil ||
			len(targets.Data.ActiveTargets) != 1 {
			return false
		}
		target := targets.Data.ActiveTargets[0]
		return target.LastScrape.After(written) && !strings.Contains(target.LastError, "deadline exceeded")
	})
	fmt.Fprintf(&c.printed, "%+v\n", targets)
	return targets.Data.ActiveTargets[0].Health == "up"
}

// startPrometheus starts Prometheus with the configuration of the recipe.
func (c *call) startPrometheus() {
	config := c.recipe("prometheus", "scrape", "scheme: https",
		"scheme: http\n    scrape_interval: 500ms\n    scrape_timeout: 500ms")
	if c.pair() == ":" {
		config = regexp.MustCompile(` +basic_auth:\n( {6}.*\n)+`).ReplaceAllString(config, "")
	}
	c.daemon = freeAddress(c.t)
	daemon(c.t, c.daemon, c.dir, "prometheus", "--config.file="+c.file("prometheus.yml", config),
		"--storage.tsdb.path="+c.dir+"/data", "--web.listen-address="+c.daemon)
}

// webDAV serves a WebDAV folder with one file.
func webDAV(*call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodOptions:
			w.Header().Set("DAV", "1")
		case r.Method == "PROPFIND" && r.URL.Path == "/":
			multistatus(w, map[string]string{
				"/": `<D:resourcetype><D:collection/></D:resourcetype>`,
				"/hello.txt": fmt.Sprintf(`<D:resourcetype/><D:getcontentlength>%d</D:getcontentlength>`,
					len(behindText)),
			})
		case r.Method == "PROPFIND":
			multistatus(w, map[string]string{
				"/hello.txt": fmt.Sprintf(`<D:resourcetype/><D:getcontentlength>%d</D:getcontentlength>`,
					len(behindText)),
			})
		case r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<a href="hello.txt">hello.txt</a>`)
		default:
			http.ServeContent(w, r, "hello.txt", time.Time{}, strings.NewReader(behindText))
		}
	})
}

// resticStore stores files as restic's REST server does.
func resticStore(*call) http.Handler {
	var mu sync.Mutex
	kept := map[string]string{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, known := kept[r.URL.Path]
		switch {
		case r.Method == http.MethodPost:
			sent, _ := io.ReadAll(r.Body)
			if r.URL.Path != "/" {
				kept[r.URL.Path] = string(sent)
			}
		case strings.HasSuffix(r.URL.Path, "/"):
			names := []string{}
			for name := range kept {
				if path.Dir(name)+"/" == r.URL.Path {
					names = append(names, fmt.Sprintf(`{"name":%q,"size":%d}`, path.Base(name), len(kept[name])))
				}
			}
			w.Header().Set("Content-Type", "application/vnd.x.restic.rest.v2")
			io.WriteString(w, "["+strings.Join(names, ",")+"]")
		case !known:
			http.NotFound(w, r)
		default:
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
		}
	})
}

// registry serves a container registry with one image.
func registry(*call) http.Handler {
	const config = `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config)))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":`+
		`{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, digest, len(config))
	stored := files(map[string]string{
		"/v2/": "{}", "/v2/hello/manifests/latest": manifest, "/v2/hello/blobs/" + digest: config,
		"/v2/hello/tags/list": `{"name":"hello","tags":["latest"]}`,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		}
		stored.ServeHTTP(w, r)
	})
}
