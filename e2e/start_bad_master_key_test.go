package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// badMasterKeys are the ways in which the file of the master key can be wrong.
func badMasterKeys() []badStart {
	return slices.Concat(badKeyTexts(), badKeyOwners(), badKeyFiles())
}

// testKey is longer than a master key, which has 32 bytes.
const testKey = "0123456789abcdefghijklmnopqrstuvwxyz"

// badKeyTexts are files with a wrong text.
func badKeyTexts() (bad []badStart) {
	add := func(name, message, text string) {
		bad = append(bad, badStart{"master key " + name, "secret", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(text), 0o600))
		}, message})
	}
	encode := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(testKey[:n])) }
	add("empty", "empty", "")
	add("of a line end", "empty", "\n")
	for n := 1; n <= len(testKey); n++ {
		if n != 32 {
			add(fmt.Sprintf("of %d bytes", n), fmt.Sprintf("holds %d bytes, not 32", n), encode(n))
		}
	}
	add("of another directory", "does not open", encode(32))
	for name, b := range map[string]string{"of zeros": "\x00", "of ones": "\xff", "of one byte": "a"} {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(b, 32))) + "\n"
		add(name, "same byte", text)
	}
	valid := encode(32)
	for name, text := range map[string]string{
		"in two lines":           valid[:20] + "\r\n" + valid[20:],
		"with CRLF":              valid + "\r\n",
		"with two line ends":     valid + "\n\n",
		"after a space":          " " + valid,
		"before a space":         valid + " ",
		"with a byte order mark": "\xef\xbb\xbf" + valid,
		"with a zero byte":       valid + "\x00",
		"without padding":        strings.TrimRight(valid, "="),
		"with spare bits":        valid[:42] + "3=",
		"in quotes":              `"` + valid + `"`,
		"in the URL alphabet": base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xfb\xff",
			16))),
		"raw":             testKey[:31] + "\xfe",
		"of two words":    "change me",
		"after a comment": "# the secret\n" + valid,
		"after a name":    "secret=" + valid,
	} {
		add(name, "one line of base64", text)
	}
	add("of a megabyte", "not 32", strings.Repeat("A", 1<<20))
	add("of a word", "holds 6 bytes", "changeme")
	add("in hexadecimal", "holds 48 bytes", hex.EncodeToString([]byte(testKey[:32])))
	return bad
}

// badKeyOwners are files that other users can read or own.
func badKeyOwners() (bad []badStart) {
	for _, mode := range []os.FileMode{0o644, 0o660, 0o640, 0o604, 0o601, 0o610, 0o666, 0o777} {
		text := fmt.Sprintf("%04o", mode)
		bad = append(bad, badStart{"master key of mode " + text, "secret", func(t *testing.T, path string) {
			must(t, os.Chmod(path, mode))
		}, text})
	}
	if os.Geteuid() == 0 { // only root can give a file away
		bad = append(bad, badStart{"master key of another user", "secret", func(t *testing.T, path string) {
			must(t, os.Chown(path, 65534, 65534))
		}, "another user"})
	}
	return bad
}

// badKeyFiles are missing files, and things that are not regular files.
func badKeyFiles() (bad []badStart) {
	add := func(name, message string, replace func(path string) error) {
		bad = append(bad, badStart{"master key " + name, "secret", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".old"))
			must(t, replace(path))
		}, message})
	}
	link := func(target string) func(string) error {
		return func(path string) error { return os.Symlink(target, path) }
	}
	add("missing", "missing", func(string) error { return nil })
	add("is a directory", "not a regular file", func(p string) error { return os.Mkdir(p, 0o700) })
	add("is a pipe", "not a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) })
	add("is a device", "not a regular file", link("/dev/zero"))
	add("is a dangling link", "missing", link("nowhere"))
	add("is a link to itself", "too many levels", link("secret"))
	add("is a link to a file that others can read", "0644", func(p string) error {
		return errors.Join(os.Chmod(p+".old", 0o644), os.Symlink("secret.old", p))
	})
	add("is a socket", "not a regular file", func(p string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	})
	return bad
}

// TestMasterKeyDamagedWhileServing damages the file of the master key under a running server. The
// server continues with the keys in memory. A command that needs the file fails with one line and
// changes nothing.
func TestMasterKeyDamagedWhileServing(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	path := filepath.Join(s.Dir, "secret")
	key, err := os.ReadFile(path)
	must(t, err)
	for _, bad := range badMasterKeys() {
		bad.damage(t, path)
		_, stderr, code := latchkey(t, s.Dir, "", "key", "rotate")
		if code != 1 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: key rotate: exit %d, %q, want exit 1 and one line", bad.name, code, stderr)
		}
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("%s: a token: status %d, want 200", bad.name, got)
		}
		if got := statusOf(t, s, login(t, s, "ann@example.com")); got != 200 {
			t.Errorf("%s: a new token: status %d, want 200", bad.name, got)
		}
		must(t, os.RemoveAll(path))
		_ = os.RemoveAll(path + ".old")
		must(t, os.WriteFile(path, key, 0o600))
		must(t, os.Chmod(path, 0o600))
		must(t, os.Chown(path, os.Getuid(), os.Getgid()))
	}
	must(t, s.stop(t))
	must(t, start(t, s.Dir, cheapHashes...).stop(t))
	if strings.Contains(s.out.String(), "level=ERROR") {
		t.Errorf("the server logs errors: %s", s.out)
	}
}

// reveals returns whether a text contains eight successive bytes of one of the keys.
func reveals(text string, keys []string) bool {
	for _, key := range keys {
		for i := 0; i+8 <= min(len(key), 1000); i++ {
			if strings.Contains(text, key[i:i+8]) {
				return true
			}
		}
	}
	return false
}
