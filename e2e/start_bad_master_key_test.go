package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// badSecrets are the ways in which the secret can be wrong.
func badSecrets() []badStart {
	key := []byte("0123456789abcdefghijklmnopqrstuvwxyz")
	text := func(n int) string { return base64.StdEncoding.EncodeToString(key[:n]) }
	var bad []badStart
	add := func(name, says string, spoil func(t *testing.T, secret string)) {
		bad = append(bad, badStart{name, func(t *testing.T, _, _, secret string) { spoil(t, secret) }, says})
	}
	content := func(name, says, text string) {
		add(name, says, func(t *testing.T, secret string) { must(t, os.WriteFile(secret, []byte(text), 0o600)) })
	}
	instead := func(name, says string, put func(secret string) error) {
		add(name, says, func(t *testing.T, secret string) {
			must(t, os.Rename(secret, secret+".old"))
			must(t, put(secret))
		})
	}
	content("empty secret", "empty", "")
	content("secret is a line end", "empty", "\n")
	for n := 1; n <= len(key); n++ {
		if n != 32 {
			content(fmt.Sprintf("secret of %d bytes", n), fmt.Sprintf("holds %d bytes, not 32", n), text(n))
		}
	}
	content("wrong secret", "does not open", text(32))
	for name, raw := range map[string]string{"zero": "\x00", "all ones": "\xff", "repeated": "a"} {
		content(name+" secret", "same byte", base64.StdEncoding.EncodeToString([]byte(strings.Repeat(raw, 32)))+"\n")
	}
	url := base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xfb\xff", 16)))
	for name, spelled := range map[string]string{
		"in two lines": text(32)[:20] + "\r\n" + text(32)[20:], "with CRLF": text(32) + "\r\n",
		"with two line ends": text(32) + "\n\n", "with a space before": " " + text(32), "with a space after": text(32) + " ",
		"with a mark of byte order": "\xef\xbb\xbf" + text(32), "with a zero byte": text(32) + "\x00",
		"without padding": strings.TrimRight(text(32), "="), "with spare bits": text(32)[:42] + "3=",
		"in quotes":           `"` + text(32) + `"`,
		"of another alphabet": url, "raw": string(key[:31]) + "\xfe", "a word": "change me",
		"commented": "# the secret\n" + text(32), "with a name": "secret=" + text(32),
	} {
		content("secret "+name, "one line of base64", spelled)
	}
	content("secret of a megabyte", "not 32", strings.Repeat("A", 1<<20))
	content("secret of a word", "holds 6 bytes", "changeme")
	content("secret in hexadecimal", "holds 48 bytes", hex.EncodeToString(key[:32]))
	for _, mode := range []os.FileMode{0o644, 0o660, 0o640, 0o604, 0o601, 0o610, 0o666, 0o777} {
		add(fmt.Sprintf("secret of mode %04o", mode), fmt.Sprintf("%04o", mode), func(t *testing.T, secret string) {
			must(t, os.Chmod(secret, mode))
		})
	}
	if os.Geteuid() == 0 { // nobody else can give a file away
		add("secret of another user", "another user", func(t *testing.T, secret string) {
			must(t, os.Chown(secret, 65534, 65534))
		})
	}
	instead("missing secret", "missing", func(string) error { return nil })
	instead("secret is a directory", "not a regular file", func(p string) error { return os.Mkdir(p, 0o700) })
	instead("secret is a pipe", "not a regular file", func(p string) error { return syscall.Mkfifo(p, 0o600) })
	instead("secret is a device", "not a regular file", func(p string) error { return os.Symlink("/dev/zero", p) })
	instead("secret is a dangling link", "missing", func(p string) error { return os.Symlink("nowhere", p) })
	instead("secret is a link to itself", "too many levels", func(p string) error { return os.Symlink("secret", p) })
	instead("secret is a link to what others can read", "0644", func(p string) error {
		return errors.Join(os.Chmod(p+".old", 0o644), os.Symlink("secret.old", p))
	})
	instead("secret is a socket", "not a regular file", func(p string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	})
	return bad
}

// TestMasterKeyDamagedWhileServing: whatever becomes of the secret's file while the server runs, it goes on with the keys that
// it has, and a command that needs the file says so and changes nothing.
func TestMasterKeyDamagedWhileServing(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	token := account(t, s, "ann@example.com")
	secret, db := filepath.Join(s.Dir, "secret"), filepath.Join(s.Dir, "latchkey.db")
	whole, err := os.ReadFile(secret)
	must(t, err)
	for _, bad := range badSecrets() {
		bad.spoil(t, s.Dir, db, secret)
		if _, said, code := latchkey(t, s.Dir, "", "key", "rotate"); code != 1 || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: key rotate: exit %d, %q", bad.name, code, said)
		}
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("%s: a token: %d", bad.name, got)
		}
		if got := statusOf(t, s, login(t, s, "ann@example.com")); got != 200 {
			t.Errorf("%s: a new token: %d", bad.name, got)
		}
		must(t, os.RemoveAll(secret))
		_ = os.RemoveAll(secret + ".old")
		must(t, os.WriteFile(secret, whole, 0o600))
		must(t, os.Chmod(secret, 0o600))
		must(t, os.Chown(secret, os.Getuid(), os.Getgid()))
		must(t, os.Chmod(s.Dir, 0o700))
	}
	must(t, s.stop(t))
	must(t, start(t, s.Dir, cheapHashes...).stop(t))
	if strings.Contains(s.out.String(), "level=ERROR") {
		t.Errorf("the log: %s", s.out)
	}
}

// shows says whether a text holds eight bytes in a row of one of the keys.
func shows(text string, keys []string) bool {
	for _, key := range keys {
		for i := 0; i+8 <= min(len(key), 1000); i++ {
			if strings.Contains(text, key[i:i+8]) {
				return true
			}
		}
	}
	return false
}
