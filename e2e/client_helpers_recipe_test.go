//go:build e2e

package e2e_test

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHelpersRecipe runs docs/howto/clients/helpers.md line by line: curl, git, .netrc and a
// registry's client present a token that nobody pasted.
func TestHelpersRecipe(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	account(t, s, "ann@example.com")
	p := newPerson(t)
	must(t, os.Symlink(binary, filepath.Join(p.home, "latchkey")))
	must(t, os.MkdirAll(filepath.Join(p.home, ".local/bin"), 0o700))
	app := startGuarded(t, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("behind " + r.URL.Path + "\n"))
	}))
	forge := startGuarded(t, s, forgeIn(t, p.home))
	images := startGuarded(t, s, registry(nil))
	at := func(server *httptest.Server) string { return bare(server.URL) }
	shell := func(name string, swap ...string) string {
		t.Helper()
		out, errOut, code := p.run("/bin/sh", "secret1\n", "-euc", recipe(t, "helpers", name, swap...))
		if code != 0 {
			t.Fatalf("%s: exit %d: %s%s", name, code, out, errOut)
		}
		return out
	}
	shell("login", "https://login.example.com", s.URL+" --account ann@example.com --secret-stdin",
		"app.example.com", at(app)+" --for "+at(images), "'*.git.example.com'", at(forge))
	for _, name := range []string{"curl", "curl-file"} {
		got := shell(name, "https://app.example.com", app.URL, "app.example.com", app.URL)
		if !strings.HasSuffix(got, "behind /\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
	shell("git", "https://a.git.example.com", forge.URL)
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)
		if out, errOut, code := p.run("/usr/bin/git", "", args...); code != 0 {
			t.Errorf("git %v: %s%s", args, out, errOut)
		}
	}
	git("clone", forge.URL+"/house.git", "house")
	git("-C", "house", "commit", "--allow-empty", "-m", "A change")
	git("-C", "house", "push", "origin", "HEAD:refs/heads/main")
	shell("netrc")
	for _, program := range []string{"curl -sn", "wget -qO-"} {
		out, errOut, code := p.run("/bin/sh", "", "-c", program+" "+app.URL+"/netrc")
		if code != 0 || out != "behind /netrc\n" {
			t.Errorf("%s: exit %d: %q %s", program, code, out, errOut)
		}
	}
	shell("docker")
	config := recipe(t, "helpers", "docker-config", "registry.example.com", at(images))
	file := write(t, p.home, "auth.json", config)
	must(t, os.Rename(filepath.Join(p.home, ".local/bin/docker-credential-latchkey"),
		filepath.Join(p.home, "docker-credential-latchkey"))) // which stands on the PATH here
	skopeo := []string{"inspect", "--raw", "--tls-verify=false", "--authfile", file,
		"docker://" + at(images) + "/hello:latest"}
	if out, errOut, code := p.run("/usr/bin/skopeo", "", skopeo...); code != 0 || !strings.Contains(out, "schemaVersion") {
		t.Errorf("skopeo: exit %d: %s%s", code, out, errOut)
	}
	shell("logout")
	if out, _, code := p.run("/usr/bin/skopeo", "", skopeo...); code == 0 {
		t.Errorf("skopeo after the logout: %s", out)
	}
}

// forgeIn is git's own web server with one empty repository, house.git.
func forgeIn(t *testing.T, dir string) http.Handler {
	t.Helper()
	root := filepath.Join(dir, "forge")
	for _, args := range [][]string{{"init", "-q", "--bare", root + "/house.git"},
		{"-C", root + "/house.git", "config", "http.receivepack", "true"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	return &cgi.Handler{Path: "/usr/lib/git-core/git-http-backend", Env: []string{"GIT_PROJECT_ROOT=" + root,
		"GIT_HTTP_EXPORT_ALL=1", "HOME=" + dir}}
}
