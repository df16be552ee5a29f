//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestClientBuilds: the client packages build without a C compiler for every supported platform, and
// so do the tests that only run on Windows.
func TestClientBuilds(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"linux/arm64", "darwin/arm64", "windows/amd64"} {
		goFor(t, platform, "build", "./client/...")
		goFor(t, platform, "build", "-tags", "client", "-o", os.DevNull, ".")
	}
	goFor(t, "windows/amd64", "vet", "./client/...", "./commands")
}

// TestClientBinary: the client-only binary has the client's commands and none of the server's.
func TestClientBinary(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "latchkey")
	goFor(t, runtime.GOOS+"/"+runtime.GOARCH, "build", "-tags", "client", "-o", program, ".")
	help, err := exec.CommandContext(t.Context(), program, "--help").Output()
	must(t, err)
	for command, want := range map[string]bool{"login": true, "token get": true, "git-credential": true,
		"completion": true, "serve": false, "user add": false, "--data": false} {
		if got := strings.Contains(string(help), "  "+command); got != want {
			t.Errorf("%s is listed: %t, want %t", command, got, want)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "user", "list").CombinedOutput()
	if err == nil || !strings.Contains(string(out), `unknown command "user"`) {
		t.Errorf("user list: %v, %s", err, out)
	}
}

// goFor runs the go command in the project's folder for a platform, without cgo.
func goFor(t *testing.T, platform string, args ...string) {
	t.Helper()
	system, architecture, _ := strings.Cut(platform, "/")
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
