package leakcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var token = "MT" + strings.Repeat("0aF9-_", 9)

func encoded(before string) string {
	return base64.StdEncoding.EncodeToString([]byte(before + token + ":"))
}

// TestSearch: a token is found however a log writes it, and wherever what is written is split.
func TestSearch(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"OK/clear", "1.2.3.4 - " + token + " [x] \"GET /\"\n", true}, {"OK/no line end", token, true},
		{"OK/base64", "Basic " + encoded("") + "\n", true},
		{"OK/base64, password", "Basic " + encoded("anyname:") + "\n", true},
		{"OK/base64, one before", encoded("x"), true}, {"OK/base64, two before", encoded("xy"), true},
		{"OK/base64 for URLs", strings.NewReplacer("+", "-", "/", "_").Replace(encoded("x")), true},
		{"OK/hex", hex.EncodeToString([]byte(token)), true},
		{"OK/HEX", strings.ToUpper(hex.EncodeToString([]byte(token))), true},
		{"OK/JSON", `{"user_id":"` + token + `"}` + "\n", true},
		{"OK/after a long line", strings.Repeat("x", 3*maxLine) + "\n" + token + "\n", true},
		{"OK/far in a long line", strings.Repeat("x", 3*maxLine-20) + token + strings.Repeat("x", maxLine), true},
		{"OK/binary", "\x00\xff\x00" + token + "\x00", true},
		{"none", "1.2.3.4 - - [x]\n", false}, {"another", strings.ReplaceAll(token, "0", "1") + "\n", false},
		{"OK/cut off", token[:55] + "\n", true}, {"OK/over two lines", token[:20] + "\n" + token[20:], true},
		{"a few characters", token[:20] + "\n" + token[40:], false},
	}
	for _, test := range tests {
		for _, step := range []int{1, 7, 4096, 1 << 20} {
			if step == 1 && len(test.text) > 1000 {
				continue
			}
			s := newSearch(map[string][][]byte{"it": forms(token)})
			for text := []byte(test.text); len(text) > 0; {
				n := min(step, len(text))
				_, _ = s.Write(text[:n])
				text = text[n:]
			}
			if _, got := s.found["it"]; got != test.want {
				t.Errorf("%s, %d at a time: %v", test.name, step, got)
			}
			if len(s.line) > 3*maxLine {
				t.Errorf("%s: %d bytes are held", test.name, len(s.line))
			}
		}
	}
}

// FuzzSearch: the token is found wherever it lies, and what holds none is not accused.
func FuzzSearch(f *testing.F) {
	f.Add([]byte("before"), []byte("after\n"), 3)
	f.Add(bytes.Repeat([]byte("x"), maxLine), []byte{}, 1000)
	f.Fuzz(func(t *testing.T, before, after []byte, step int) {
		step = 1 + max(step, -step)%(1<<16)
		for _, with := range []string{token, ""} {
			text := bytes.Join([][]byte{before, []byte(with), after}, nil)
			want := with != "" || bytes.Contains(text, []byte(token))
			s := newSearch(map[string][][]byte{"it": {[]byte(token)}})
			for len(text) > 0 {
				n := min(step, len(text))
				_, _ = s.Write(text[:n])
				text = text[n:]
			}
			if _, got := s.found["it"]; got != want {
				t.Errorf("found: %v, want %v", got, want)
			}
		}
	})
}

// logged is a web server that writes a line for each request, made by format, into a file.
func logged(t *testing.T, format func(r *http.Request) string) (address, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte("an old line with "+token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "stub")
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(format(r))
			_ = f.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/x?a=b", path
}

func TestExamine(t *testing.T) {
	user := func(r *http.Request) string { u, _, _ := r.BasicAuth(); return u }
	tests := []struct {
		name   string
		format func(path string) func(r *http.Request) string
		leaks  string
		err    error
	}{
		{"user name", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return "- " + user(r) + " " + r.RequestURI + "\n" }
		}, "user name", nil},
		{"whole header", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return r.UserAgent() + r.Header.Get("Authorization") + "\n" }
		}, "user name,password,Bearer", nil},
		{"cookies", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return r.RequestURI + r.Header.Get("Cookie") + "\n" }
		}, "cookie", nil},
		{"user name alone, without a marker", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return "- " + user(r) + "\n" }
		}, "user name", nil},
		{"cut", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return fmt.Sprintf("%.50s %s\n", user(r), r.RequestURI) }
		}, "user name", nil},
		{"a cookie of a domain", func(string) func(*http.Request) string {
			return func(r *http.Request) string {
				c, err := r.Cookie("__Secure-latchkey")
				if err != nil {
					return r.RequestURI + "\n"
				}
				return r.RequestURI + c.Value + "\n"
			}
		}, "cookie", nil},
		{"nothing", func(string) func(*http.Request) string {
			return func(r *http.Request) string { return r.RequestURI + "\n" }
		}, "", nil},
		{"rotated meanwhile", func(path string) func(*http.Request) string {
			return func(r *http.Request) string {
				if user(r) == "anyname" {
					_ = os.Rename(path, path+".1")
				}
				return "- " + user(r) + " " + r.RequestURI + "\n"
			}
		}, "user name", ErrNotShown}, // two files were written between two looks: nothing is claimed
		{"cut meanwhile", func(path string) func(*http.Request) string {
			return func(r *http.Request) string {
				if user(r) != "" && user(r) != "anyname" {
					_ = os.Truncate(path, 0)
				}
				return "- " + user(r) + " " + r.RequestURI + "\n"
			}
		}, "user name", nil},
		{"another log", func(string) func(*http.Request) string {
			return func(*http.Request) string { return "something else\n" }
		}, "", ErrNotShown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var format func(*http.Request) string
			address, path := logged(t, func(r *http.Request) string { return format(r) })
			format = test.format(path)
			report, err := Check(t.Context(), address, path, 2*time.Second)
			if err != nil && errors.Is(err, test.err) {
				return
			}
			var leaks []string
			for _, s := range report.Slots {
				if s.Leak {
					leaks = append(leaks, s.Name)
					if !strings.Contains(s.Line, redacted) {
						t.Errorf("%s: %q", s.Name, s.Line)
					}
				}
			}
			if got := strings.Join(leaks, ","); err != nil || got != test.leaks || report.Server != "stub" {
				t.Errorf("%q from %q, %v, want %q", got, report.Server, err, test.leaks)
			}
		})
	}
}

func TestExamineRefuses(t *testing.T) {
	address, path := logged(t, func(r *http.Request) string { return r.RequestURI + "\n" })
	for name, c := range map[string]struct{ address, log, want string }{
		"no file":      {address, path + ".none", "no such file"},
		"a directory":  {address, filepath.Dir(path), "not a regular file"},
		"a device":     {address, "/dev/null", "not a regular file"},
		"nobody there": {"http://127.0.0.1:1/", path, "refused"},
		"no address":   {"127.0.0.1", path, "is no address"},
		"somebody":     {"http://u:p@127.0.0.1/", path, "is no address"},
	} {
		_, err := Check(t.Context(), c.address, c.log, time.Second)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
