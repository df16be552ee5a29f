//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const pageSize = 4096 // bytes in a page of the database

// damages are the ways to damage the files of a data directory. Many choose random places.
var damages = map[string]func(t *testing.T, dir string, random *rand.Rand){
	"one bit":    atUsedBytes(1, func(b byte, r *rand.Rand) byte { return b ^ 1<<r.IntN(8) }),
	"three bits": atUsedBytes(3, func(b byte, r *rand.Rand) byte { return b ^ 1<<r.IntN(8) }),
	"forty bytes": atUsedBytes(40,
		func(_ byte, r *rand.Rand) byte { return byte(r.IntN(256)) }),
	"truncated":          changeFile("latchkey.db", truncate),
	"a zeroed page":      changePages(func(page, _ []byte) { clear(page) }),
	"a page repeated":    changePages(func(page, other []byte) { copy(page, other) }),
	"pages swapped":      changePages(func(page, other []byte) { swap(page, other) }),
	"half a page":        changePages(func(page, other []byte) { copy(page[pageSize/2:], other[pageSize/2:]) }),
	"WAL: three bits":    changeFile("latchkey.db-wal", flipThree),
	"WAL: truncated":     changeFile("latchkey.db-wal", truncate),
	"an older WAL":       restoreOlder("latchkey.db-wal"),
	"an older database":  restoreOlder("latchkey.db"),
	"a revocation lost":  executing("DELETE FROM endings WHERE seq = (SELECT seq FROM endings ORDER BY random() LIMIT 1)"),
	"a revocation moved": executing("UPDATE endings SET token_order = token_order - 1 WHERE seq % 3 = 0"),
	"revocations swapped": executing("UPDATE endings SET seq = -seq; " +
		"UPDATE endings SET seq = 1 + (-seq) % (SELECT value FROM sequences WHERE name = 'ending')"),
	"a revocation uncounted":  executing("UPDATE sequences SET value = value - 1 WHERE name = 'ending'"),
	"a role":                  executing("UPDATE users SET role = 2"),
	"a state":                 executing("UPDATE users SET state = 1"),
	"another user's password": executing("UPDATE users SET secret_hash = (SELECT secret_hash FROM users WHERE id = 2)"),
	"another user's account": executing("UPDATE users SET account_key = id; " +
		"UPDATE users SET account_key = 'good1@example.com' WHERE id = 2"),
}

// restoreOlder replaces a file by its version in the older copy.
func restoreOlder(name string) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, _ *rand.Rand) {
		content, err := os.ReadFile(filepath.Join(dir, "older", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// swap exchanges two pages.
func swap(a, b []byte) {
	c := slices.Clone(a)
	copy(a, b)
	copy(b, c)
}

// truncate cuts a file at a random place.
func truncate(b []byte, r *rand.Rand) []byte { return b[:r.IntN(len(b))] }

// flipThree flips three random bits.
func flipThree(b []byte, r *rand.Rand) []byte {
	for range 3 {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}

// changeFile applies a change to the content of a file.
func changeFile(
	name string, change func([]byte, *rand.Rand) []byte,
) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, random *rand.Rand) {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, change(content, random), 0o600))
	}
}

// atUsedBytes changes count bytes that are not zero; most bytes of a small database are zero.
func atUsedBytes(
	count int, change func(byte, *rand.Rand) byte,
) func(*testing.T, string, *rand.Rand) {
	return changeFile("latchkey.db", func(b []byte, r *rand.Rand) []byte {
		for count := count; count > 0; {
			if at := r.IntN(len(b)); b[at] != 0 {
				b[at] = change(b[at], r)
				count--
			}
		}
		return b
	})
}

// changePages changes one or two random pages, never the first.
func changePages(change func(page, other []byte)) func(*testing.T, string, *rand.Rand) {
	return changeFile("latchkey.db", func(b []byte, r *rand.Rand) []byte {
		page := func() []byte {
			at := pageSize * (1 + r.IntN(len(b)/pageSize-1))
			return b[at : at+pageSize]
		}
		change(page(), page())
		return b
	})
}

// executing runs an SQL statement.
func executing(statement string) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, _ *rand.Rand) { execSQL(t, filepath.Join(dir, "latchkey.db"), statement) }
}

// damageFixture is a data directory with all kinds of accounts and tokens.
type damageFixture struct {
	dir     string   // after an orderly stop: everything is in the database file
	killed  string   // after a kill: a part is in the write-ahead log
	revoked []string // tokens
}

// newDamageFixture creates the accounts, tokens and revocations, and the older copy.
func newDamageFixture(t *testing.T) *damageFixture {
	t.Helper()
	s, older := start(t, t.TempDir(), lenient...), t.TempDir()
	addUser(t, s.Dir, "admin@example.com", "--admin")
	must(t, s.stop(t)) // moves the administrator into the database file
	s = start(t, s.Dir, lenient...)
	p := &damageFixture{dir: s.Dir, killed: t.TempDir()}
	for n := range 12 {
		if n == 6 { // the older copy
			s.kill()
			must(t, os.CopyFS(older, os.DirFS(s.Dir)))
			s = start(t, s.Dir, lenient...)
		}
		good, bad := fmt.Sprintf("good%d@example.com", n), fmt.Sprintf("bad%d@example.com", n)
		account(t, s, good)
		p.revoked = append(p.revoked, account(t, s, bad))
		mustRun(t, s.Dir, "", "user", "disable", bad)
		for range 2 {
			token := login(t, s, good)
			revoke(t, s, token)
			p.revoked = append(p.revoked, token)
		}
	}
	// The one account with another password.
	mustRun(t, s.Dir, "secret2\n", "user", "passwd", "good0@example.com", "--secret-stdin")
	s.kill()
	must(t, os.CopyFS(filepath.Join(s.Dir, "older"), os.DirFS(older)))
	must(t, os.CopyFS(p.killed, os.DirFS(s.Dir)))
	must(t, start(t, s.Dir, lenient...).stop(t))
	return p
}

// TestDamage damages the database. The server does not start, or answers 503, or works. It accepts
// no token, password or role that it did not accept before, and does not hang.
func TestDamage(t *testing.T) {
	t.Parallel()
	damageRepeatedly(t, 4)
}

// damageRepeatedly applies each damage several times.
func damageRepeatedly(t *testing.T, times int) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	p := newDamageFixture(t)
	tried, refused, served := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(damages)) {
		for range times {
			source, dir := p.dir, filepath.Join(t.TempDir(), "data")
			if strings.HasPrefix(name, "WAL: ") {
				source = p.killed
			}
			copyData(t, source, dir)
			damages[name](t, dir, random)
			tried++
			switch p.survives(t, dir) {
			case false:
				refused++
			case strings.Contains(name, "revocation") || strings.Contains(name, "older"):
				t.Error("the server starts, want an error")
			default:
				served++
			}
			if t.Failed() {
				t.Fatalf("with the damage %q", name)
			}
			must(t, os.RemoveAll(dir))
		}
	}
	t.Logf("%d databases damaged in %d ways: %d starts failed, %d servers ran, nothing wrong accepted",
		tried, len(damages), refused, served)
}

// survives starts a server on a damaged directory and checks whom it accepts. It returns whether
// the server started.
func (p *damageFixture) survives(t *testing.T, dir string) bool {
	t.Helper()
	began := time.Now()
	s, out := tryStart(t, dir, lenient...)
	requireWithin(t, "the start", time.Since(began), 5*time.Second)
	if s == nil {
		if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "latchkey: ") {
			t.Errorf("a failed start prints %q, want one line", out)
		}
		return false
	}
	defer s.kill()
	for _, token := range p.revoked {
		if got := p.ask(t, "GET", s.URL+"/v1/verify", "", bearer(token)); got.Status != 401 &&
			got.Status != 503 {
			t.Errorf("a revoked token: status %d, want 401 or 503: %s", got.Status, got.Body)
		}
	}
	for n := 1; n < 12; n++ {
		p.rejectsLogin(t, s, fmt.Sprintf("bad%d@example.com", n), "secret1")
		p.rejectsLogin(t, s, fmt.Sprintf("good%d@example.com", n), "secret2")
		p.rejectsAdmin(t, s, fmt.Sprintf("good%d@example.com", n))
	}
	if log := s.out.String(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("the server panicked: %s", log)
	}
	return true
}

// ask sends a request, which must be answered within 5 seconds.
func (p *damageFixture) ask(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	began := time.Now()
	got := requestOnce(t, method, url, body, append(headers, asJSON)...)
	requireWithin(t, method+" "+url, time.Since(began), 5*time.Second)
	return got
}

// rejectsLogin requires that a login fails.
func (p *damageFixture) rejectsLogin(t *testing.T, s *server, account, password string) {
	t.Helper()
	body := loginJSON(account, password)
	if got := p.ask(t, "POST", s.URL+"/v1/token", body); got.Status < 400 {
		t.Errorf("%s logs in with %s: status %d, want an error", account, password, got.Status)
	}
}

// rejectsAdmin requires that a user has no administrator's rights, if the user can log in at all.
func (p *damageFixture) rejectsAdmin(t *testing.T, s *server, account string) {
	t.Helper()
	body := loginJSON(account, "secret1")
	got := p.ask(t, "POST", s.URL+"/v1/token", body)
	if got.Status != http.StatusCreated {
		return
	}
	got = p.ask(t, "GET", s.URL+"/v1/users", "", bearer(tokenIn(t, got)))
	if got.Status < 400 {
		t.Errorf("%s lists the users: status %d, want an error", account, got.Status)
	}
}

// TestRecover runs latchkey recover on a data directory that the server rejects. After it the
// server starts: all earlier tokens are invalid, damaged accounts are disabled and listed, all
// others log in.
func TestRecover(t *testing.T) {
	t.Parallel()
	p := newDamageFixture(t)
	for _, name := range []string{"an older database", "a revocation lost", "revocations swapped",
		"a role"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			copyData(t, p.dir, dir)
			s, _ := tryStart(t, dir, lenient...)
			live := ""
			if name != "an older database" { // which does not have the account
				live = login(t, s, "good7@example.com")
			}
			must(t, s.stop(t))
			damages[name](t, dir, rand.New(rand.NewPCG(1, 1)))
			if name == "a role" {
				execSQL(t, filepath.Join(dir, "latchkey.db"),
					"UPDATE users SET role = 1 WHERE account NOT IN ('good3@example.com', 'admin@example.com')")
			} else if s, _ := tryStart(t, dir, lenient...); s != nil {
				t.Fatal("the server starts on the damaged data directory, want an error")
			}
			out := mustRun(t, dir, "", "recover", "--yes")
			if name == "a role" != strings.Contains(out, "good3@example.com") ||
				!strings.Contains(out, "every token and every link is revoked") {
				t.Errorf("recover prints %q", out)
			}
			s = start(t, dir, lenient...)
			for _, token := range append(slices.Clone(p.revoked), live) {
				if got := statusOf(t, s, token); got != http.StatusUnauthorized {
					t.Errorf("a token from before: status %d, want 401", got)
				}
			}
			if name == "a role" {
				p.rejectsLogin(t, s, "good3@example.com", "secret1")
				mustRun(t, dir, "", "user", "enable", "good3@example.com")
			}
			for _, token := range []string{account(t, s, "new@example.com"),
				login(t, s, "admin@example.com")} {
				if got := statusOf(t, s, token); got != http.StatusOK {
					t.Errorf("a new token: status %d, want 200", got)
				}
			}
			must(t, s.stop(t))
			must(t, start(t, dir, lenient...).stop(t))
		})
	}
}
