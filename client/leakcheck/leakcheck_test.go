package leakcheck

import (
	"context"
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

// appendTo adds text to a file, which need not exist.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// startLogger starts a server that logs each request, as format returns it, before it responds. The
// log already contains a token from before.
func startLogger(t *testing.T, format func(r *http.Request) string) (address, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "access.log")
	appendTo(t, log, "an old line with "+token+"\n")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "stub\u009b")
		appendTo(t, log, format(r))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/x?a=b", log
}

func user(r *http.Request) string {
	name, _, _ := r.BasicAuth()
	return name
}

func cookie(r *http.Request, name string) string {
	if c, err := r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}

// noSleep is a sleepFunc that does not wait: the loggers here have written all lines by then.
func noSleep(context.Context, time.Duration) error { return nil }

// leaking names the slots of a report that leak.
func leaking(t *testing.T, r Report) string {
	t.Helper()
	var names []string
	for _, s := range r.Slots {
		if s.Leak {
			names = append(names, s.Name)
		}
		if s.Leak != strings.Contains(s.Line, redacted) {
			t.Errorf("%s: %q", s.Name, s.Line)
		}
	}
	return strings.Join(names, ",")
}

// TestExamine: the slots whose tokens are in the log leak, and no others.
func TestExamine(t *testing.T) {
	for _, test := range []struct {
		name   string
		format func(r *http.Request) string
		want   string
		err    error
	}{
		{"user name", func(r *http.Request) string { return user(r) + " " + r.RequestURI },
			"user name", nil},
		{"header", func(r *http.Request) string { return r.UserAgent() + r.Header.Get("Authorization") },
			"user name,password,Bearer", nil},
		{"cookies", func(r *http.Request) string { return r.RequestURI + r.Header.Get("Cookie") },
			"cookie", nil},
		{"a domain's cookie", func(r *http.Request) string {
			return r.RequestURI + cookie(r, "__Secure-latchkey")
		}, "cookie", nil},
		{"without markers", user, "user name", nil},
		{"cut off", func(r *http.Request) string {
			return fmt.Sprintf("%.50s %s", user(r), r.RequestURI)
		}, "user name", nil},
		{"no token", func(r *http.Request) string { return r.RequestURI }, "", nil},
		{"another log", func(*http.Request) string { return "something else" }, "", ErrNotShown},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, log := startLogger(t, func(r *http.Request) string { return test.format(r) + "\n" })
			report, err := check(t.Context(), address, log, time.Minute, noSleep)
			if !errors.Is(err, test.err) || err == nil && report.Server != "stub " {
				t.Errorf("from %q, %v", report.Server, err)
			}
			if got := leaking(t, report); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestRotation: a log that is rotated or truncated between two reads is read as far as it can be.
// If requests are missing then, nothing is said about it.
func TestRotation(t *testing.T) {
	rotate := func(log string) { _ = os.Rename(log, log+".1") }
	truncate := func(log string) { _ = os.Truncate(log, 0) }
	for _, test := range []struct {
		name   string
		change map[int]func(log string) // before the line of the nth request
		err    error
	}{
		{"rotated before", map[int]func(string){1: rotate}, nil},
		{"rotated", map[int]func(string){2: rotate}, nil},
		{"rotated twice", map[int]func(string){2: rotate, 3: rotate}, ErrNotShown},
		{"truncated before", map[int]func(string){1: truncate}, nil},
		{"truncated", map[int]func(string){3: truncate}, ErrNotShown},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log string
			requests := 0
			address, path := startLogger(t, func(r *http.Request) string {
				requests++
				if change := test.change[requests]; change != nil {
					change(log)
				}
				if test.err != nil {
					return r.RequestURI + "\n"
				}
				return r.RequestURI + cookie(r, "latchkey") + "\n" // the last slot
			})
			log = path
			report, err := check(t.Context(), address, log, time.Minute, noSleep)
			got, want := leaking(t, report), "cookie"
			if test.err != nil {
				want = ""
			}
			if !errors.Is(err, test.err) || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
}

// TestLateLines: lines that come later count, if they come before the log has settled.
func TestLateLines(t *testing.T) {
	for _, test := range []struct {
		name string
		late time.Duration
		want string
	}{
		{"at once", 0, "Bearer"},
		{"before the log has settled", settleTime - 2*pollInterval, "Bearer"},
		{"afterwards", settleTime, ""},
	} {
		var bearer string
		address, log := startLogger(t, func(r *http.Request) string {
			if text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
				bearer = text
			}
			return r.RequestURI + "\n"
		})
		slept := time.Duration(0)
		report, err := check(t.Context(), address, log, time.Minute,
			func(_ context.Context, d time.Duration) error {
				if slept == test.late {
					appendTo(t, log, "error: "+bearer+"\n")
				}
				slept += d
				return nil
			})
		if got := leaking(t, report); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		}
		if slept >= settleTime {
			t.Errorf("%s: waited %v", test.name, slept)
		}
	}
}

// TestWait: a check waits for as long as it may and no longer, and ends with its context.
func TestWait(t *testing.T) {
	address, log := startLogger(t, func(*http.Request) string { return "" })
	slept := time.Duration(0)
	_, err := check(t.Context(), address, log, 5*time.Second,
		func(_ context.Context, d time.Duration) error {
			slept += d
			return nil
		})
	if !errors.Is(err, ErrNotShown) || slept != 5*time.Second {
		t.Errorf("%v after %v", err, slept)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Check(ctx, address, log, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestExamineErrors: what cannot be checked is said in one line.
func TestExamineErrors(t *testing.T) {
	address, log := startLogger(t, func(r *http.Request) string { return r.RequestURI + "\n" })
	for name, c := range map[string]struct{ address, log, want string }{
		"no file":      {address, log + ".none", "cannot read the log: no such file"},
		"a directory":  {address, filepath.Dir(log), "not a regular file"},
		"a device":     {address, os.DevNull, "not a regular file"},
		"no server":    {"http://127.0.0.1:1/", log, "cannot reach http://127.0.0.1:1/ ("},
		"no URL":       {"127.0.0.1", log, "is not a URL"},
		"a user in it": {"http://u:p@127.0.0.1/", log, "is not a URL"},
	} {
		_, err := check(t.Context(), c.address, c.log, time.Second, noSleep)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestRemedy: the lines are those of the program that the response names, or of all programs.
func TestRemedy(t *testing.T) {
	leak := func(name, server string) Report {
		return Report{Slots: []Slot{{Name: name, Leak: true}, {Name: "cookie"}}, Server: server}
	}
	for _, test := range []struct {
		name         string
		report       Report
		want, absent string
	}{
		{"nginx", leak("user name", "nginx/1.22"), "log_format", "varnishncsa"},
		{"unknown", leak("user name", ""), "varnishncsa:", "The response came through"},
		{"another slot", leak("user name", ""), "send the token as the password", "\x00"},
		{"the password itself", leak("password", "nginx"), "log_format", "as the password"},
	} {
		got := test.report.Remedy()
		if !strings.Contains(got, test.want) || strings.Contains(got, test.absent) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	if got := (Report{Slots: []Slot{{Name: "cookie"}}}).Remedy(); got != "" {
		t.Errorf("without a leak: %q", got)
	}
}
