//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrowserRecipes runs the account page's commands as they stand: each must work with the token.
func TestBrowserRecipes(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	w := openBrowser(t, s.URL)
	w.signUp("ann@example.com", "Ann")
	home := t.TempDir()
	run := func(script string) string {
		command := exec.Command("bash", "-c", script)
		command.Env = append(os.Environ(), "HOME="+home)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v, %s", script, err, out)
		}
		return string(out)
	}
	lines := func(recipe string) string { return w.text("#" + recipe + "-text") }
	must(t, os.WriteFile(filepath.Join(home, ".netrc"), []byte(lines("netrc")+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(home, "recipe.py"), []byte(lines("python")), 0o600))
	for recipe, script := range map[string]string{
		"curl":     lines("curl"),
		"username": lines("username"),
		"netrc":    "curl -n " + s.URL + "/v1/user",
		"python":   "NETRC=/dev/null python3 ~/recipe.py",
		"postman":  "curl -u latchkey:" + lines("postman") + " " + s.URL + "/v1/user",
	} {
		if out := run(script); !strings.Contains(out, "ann@example.com") {
			t.Errorf("%s: %s", recipe, out)
		}
	}
	run("git config --global credential.helper store; " + lines("git"))
	filled := run("printf 'url=" + s.URL + "/repository.git\n\n' | git credential fill")
	for _, want := range []string{"username=latchkey\n", "password=" + w.text("#token-text") + "\n"} {
		if !strings.Contains(filled, want) {
			t.Errorf("git: no %q in %q", want, filled)
		}
	}
}
