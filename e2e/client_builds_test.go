//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestClientBuilds: the client packages build without a C compiler for every supported platform, and
// so do the tests that only run on Windows.
func TestClientBuilds(t *testing.T) {
	for _, platform := range []string{"linux/arm64", "darwin/arm64", "windows/amd64"} {
		goFor(t, platform, "build", "./client/...")
		// The client-only binary goes here.
	}
	goFor(t, "windows/amd64", "vet", "./client/...")
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
