//go:build e2e || torture

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNodesDatabaseTLS connects with sslmode=verify-full. The node rejects a certificate of another
// authority or for another name.
func TestNodesDatabaseTLS(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	certify := func(name, host string) {
		t.Helper()
		out, err := c.Command(context.Background(), "openssl", "req", "-x509", "-newkey", "ec",
			"-pkeyopt",
			"ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN="+host, "-addext",
			"subjectAltName=DNS:"+host, "-keyout", name+".key", "-out", name+".crt").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	certify("right", "localhost")
	certify("other", "localhost")
	certify("elsewhere", "db.example.com")
	dir := t.TempDir()
	usePostgres(t, c, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	serve := func(certificate string) {
		t.Helper()
		must(t, c.Stop(syscall.SIGQUIT))
		must(t, c.Start(context.Background(), "ssl=on",
			"ssl_cert_file="+filepath.Join(c.Dir, certificate+".crt"),
			"ssl_key_file="+filepath.Join(c.Dir, certificate+".key"), "listen_addresses=localhost",
			fmt.Sprint("port=", port)))
	}
	migrate := func(mode, authority string) (stderr string, code int) {
		address := fmt.Sprintf("postgres://postgres@localhost:%d/%s?sslmode=%s&sslrootcert=%s", port,
			databaseName(t, dir), mode, filepath.Join(c.Dir, authority+".crt"))
		_, stderr, code = latchkey(t, dir, "", "--database", address, "migrate")
		return stderr, code
	}
	serve("right")
	if stderr, code := migrate("verify-full", "right"); code != 0 {
		t.Errorf("the right certificate: exit %d, want 0: %s", code, stderr)
	}
	if stderr, code := migrate("verify-full", "other"); code != 1 ||
		!strings.Contains(stderr, "certificate") {
		t.Errorf("a certificate of another authority: exit %d, want 1: %s", code, stderr)
	}
	serve("elsewhere")
	if stderr, code := migrate("verify-full", "elsewhere"); code != 1 ||
		!strings.Contains(stderr, "certificate") {
		t.Errorf("a certificate for another name: exit %d, want 1: %s", code, stderr)
	}
}
