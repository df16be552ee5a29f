//go:build e2e

package e2e_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCalendar runs the same requests and commands in several time zones, in the second in which
// signed and unsigned 32-bit times overflow, and with SQLite's clock 400 days ahead. The responses
// are equal.
func TestCalendar(t *testing.T) {
	t.Parallel()
	at := func(date string) time.Duration {
		when, err := time.Parse(time.RFC3339, date)
		must(t, err)
		return time.Until(when)
	}
	want := responsesAt(t, 0)
	for name, test := range map[string]struct {
		ahead time.Duration
		env   []string
	}{
		"Shanghai":             {0, []string{"TZ=Asia/Shanghai"}},
		"St. John's":           {0, []string{"TZ=America/St_Johns"}},
		"2038":                 {at("2038-01-19T03:14:06Z"), nil},
		"2038 in St. John's":   {at("2038-01-19T03:14:06Z"), []string{"TZ=America/St_Johns"}},
		"2106":                 {at("2106-02-07T06:28:14Z"), nil},
		"SQLite's clock ahead": {0, sqliteAhead(t)},
	} {
		t.Run(name, func(t *testing.T) {
			got := responsesAt(t, test.ahead, test.env...)
			if len(got) != len(want) {
				t.Fatalf("%d responses, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("response %d: %s\nwant: %s", i, got[i], want[i])
				}
			}
			t.Logf("%d responses", len(got))
		})
	}
}

// sqliteAhead returns an environment in which the C library's clock is 400 days ahead; Go's is not.
func sqliteAhead(t *testing.T) (env []string) {
	t.Helper()
	out, _ := execute(t, "", nil, "", "faketime", "-f", "+400d", "env")
	for line := range strings.Lines(out) {
		if name, _, _ := strings.Cut(line, "="); name == "LD_PRELOAD" || name == "FAKETIME" {
			env = append(env, strings.TrimSpace(line))
		}
	}
	program := t.TempDir() + "/clocks"
	if out, code := execute(t, "", os.Environ(), "", "go", "build", "-o", program,
		"./testdata/clocks"); code != 0 {
		t.Fatal(out)
	}
	if out, _ := execute(t, "", env, "", program); out != "400 days\n" {
		t.Fatalf("SQLite's clock is %s ahead of Go's, want 400 days", out)
	}
	return env
}

// responsesAt sends the same requests and commands to a new server whose clock is ahead, and
// returns the responses.
func responsesAt(t *testing.T, ahead time.Duration, env ...string) []string {
	t.Helper()
	c := newClock(t)
	c.set(t, ahead)
	env = append(env, "LATCHKEY_TEST_CLOCK="+c.path)
	v := &visitor{clock: c, env: env}
	v.start(t, t.TempDir())
	ann := registerJSON("ann@example.com")
	v.ask(t, "POST", "/v1/client/register", ann)
	v.ask(t, "POST", "/v1/client/register", ann)
	one, two, three := v.token(t, "/v1/token", ann), v.token(t, "/v1/token", ann),
		v.token(t, "/v1/token", ann)
	service := v.token(t, "/v1/tokens", `{"label":"CI","scope":"metrics","lifetime":15552000}`,
		bearer(one))
	v.ask(t, "DELETE", "/v1/token", "", bearer(two))
	fresh := v.token(t, "/v1/token/renew", "", bearer(three))
	v.look(t, one, two, three, service, fresh, tamper(one))
	v.form(t, "/login", "account=ann@example.com&secret=secret1")
	v.run(t, "key", "rotate")
	v.run(t, "token", "issue", "ann@example.com", "--ttl", "90s", "--json")
	c.set(t, ahead+2*time.Second) // past the last second that 32 bits hold
	last := v.token(t, "/v1/token", ann)
	other := v.token(t, "/v1/token", ann)
	v.ask(t, "DELETE", "/v1/token", "", bearer(last))
	v.ask(t, "GET", "/v1/verify", "", bearer(last))
	v.ask(t, "GET", "/v1/verify", "", bearer(other))
	must(t, v.s.stop(t))
	v.start(t, v.s.Dir)
	v.look(t, one, two, three, service, fresh, tamper(one))
	v.ask(t, "GET", "/v1/verify", "", bearer(last))
	v.ask(t, "GET", "/v1/verify", "", bearer(other))
	v.ask(t, "DELETE", "/v1/tokens?all=1", "", bearer(other))
	v.ask(t, "GET", "/v1/verify?scope=metrics", "", bearer(service))
	v.token(t, "/v1/token", ann)
	return v.responses
}

// visitor records the responses of a server and its commands.
type visitor struct {
	*clock
	s         *server
	env       []string
	responses []string
}

// start starts the server on the visitor's clock.
func (v *visitor) start(t *testing.T, dir string) {
	t.Helper()
	v.s = startProgram(t, v.env, v.program, dir, append(cheapHashes, "--scope", "metrics")...)
}

// look uses the tokens in every way and lists what is stored.
func (v *visitor) look(t *testing.T, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		v.ask(t, "GET", "/v1/verify?scope=any", "", bearer(token))
		v.ask(t, "GET", "/v1/user", "", basic(token, ""))
		v.ask(t, "POST", "/v1/token/secret", fmt.Sprintf(`{"token":%q}`, token))
		v.run(t, "token", "inspect", "--", token)
	}
	v.ask(t, "GET", "/v1/tokens", "", bearer(tokens[0]))
	v.run(t, "user", "list", "--json")
	v.run(t, "user", "list")
	v.run(t, "token", "list", "ann@example.com")
	v.run(t, "key", "list")
	v.ask(t, "GET", "/readyz", "")
}

// record records a response without what differs between two runs.
func (v *visitor) record(t *testing.T, what, response string) {
	t.Helper()
	v.responses = append(v.responses, what+": "+v.normalise(t, response))
}

// ask sends a request.
func (v *visitor) ask(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	got := request(t, method, v.s.URL+path, body, append(headers, asJSON)...)
	v.record(t, method+" "+path, fmt.Sprintf("%d %s %s", got.Status, got.Body,
		got.Header["Www-Authenticate"]))
	return got
}

// token sends a POST request that issues a token.
func (v *visitor) token(t *testing.T, path, body string, headers ...string) string {
	t.Helper()
	return tokenIn(t, v.ask(t, "POST", path, body, headers...))
}

// form submits a form.
func (v *visitor) form(t *testing.T, path, body string) {
	t.Helper()
	got := request(t, "POST", v.s.URL+path, body, asForm)
	v.record(t, "POST "+path, fmt.Sprintf("%d %s", got.Status, got.Header["Set-Cookie"]))
}

// run runs a command on the server's data directory.
func (v *visitor) run(t *testing.T, args ...string) {
	t.Helper()
	out, code := execute(t, "", v.env, "", v.program, append([]string{"--data", v.s.Dir}, args...)...)
	v.record(t, strings.Join(args[:2], " "), fmt.Sprintf("%d %s", code, out))
}

var (
	tokenText = regexp.MustCompile(`[0-9A-Za-z_-]{56}`)
	age       = regexp.MustCompile(`(signs|waits) +[0-9]+s`)
	spaces    = regexp.MustCompile(` +`)
	tokenID   = regexp.MustCompile(`\b[0-9]+-[0-9]{10}-[0-9]+\b`)
	unixTime  = regexp.MustCompile(`\b[0-9]{10}\b`)
	dateTime  = regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}Z?)?`)
	httpDate  = regexp.MustCompile(`[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT`)
)

// normalise replaces what differs between two runs. A time becomes its distance to the present, in
// steps of ten minutes.
func (v *visitor) normalise(t *testing.T, text string) string {
	t.Helper()
	present := v.now()
	distance := func(at int64) string {
		return fmt.Sprintf("NOW%+d", 600*int64(math.Round(float64(at-present)/600)))
	}
	parsed := func(layouts ...string) func(string) string {
		return func(found string) string {
			for _, layout := range layouts {
				if at, err := time.Parse(layout, found); err == nil {
					return distance(at.Unix())
				}
			}
			t.Errorf("an invalid time: %q", found)
			return found
		}
	}
	text = tokenText.ReplaceAllString(strings.ReplaceAll(text, v.s.Dir, "DIR"), "TOKEN")
	text = spaces.ReplaceAllString(age.ReplaceAllString(text, "$1 AGE"), " ")
	text = tokenID.ReplaceAllString(text, "ID")
	text = unixTime.ReplaceAllStringFunc(text, func(found string) string {
		at, _ := strconv.ParseInt(found, 10, 64)
		return distance(at)
	})
	text = dateTime.ReplaceAllStringFunc(text, parsed(time.RFC3339, "2006-01-02 15:04",
		"2006-01-02 15:04:05"))
	return httpDate.ReplaceAllStringFunc(text, parsed(time.RFC1123))
}
