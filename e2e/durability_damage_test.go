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

const pageSize = 4096 // bytes of a page of the database

// damages are the ways in which a data directory goes bad. Each changes the files of one, at random places.
var damages = map[string]func(t *testing.T, dir string, random *rand.Rand){
	"a bit":           atUsedBytes(1, func(b byte, r *rand.Rand) byte { return b ^ 1<<r.IntN(8) }),
	"three bits":      atUsedBytes(3, func(b byte, r *rand.Rand) byte { return b ^ 1<<r.IntN(8) }),
	"forty bytes":     atUsedBytes(40, func(_ byte, r *rand.Rand) byte { return byte(r.IntN(256)) }),
	"cut":             changeFile("latchkey.db", cut),
	"a page of zeros": changePages(func(page, _ []byte) { clear(page) }),
	"a page twice":    changePages(func(page, other []byte) { copy(page, other) }),
	"pages swapped":   changePages(func(page, other []byte) { swap(page, other) }),
	"half a page":     changePages(func(page, other []byte) { copy(page[pageSize/2:], other[pageSize/2:]) }),
	"log: three bits": changeFile("latchkey.db-wal", flipThree),
	"log: cut":        changeFile("latchkey.db-wal", cut),
	"an older log":    putBack("latchkey.db-wal"),
	"an older copy":   putBack("latchkey.db"),
	"an ending gone":  bySQL("DELETE FROM endings WHERE seq = (SELECT seq FROM endings ORDER BY random() LIMIT 1)"),
	"an ending moved": bySQL("UPDATE endings SET token_order = token_order - 1 WHERE seq % 3 = 0"),
	"endings swapped": bySQL("UPDATE endings SET seq = -seq; " +
		"UPDATE endings SET seq = 1 + (-seq) % (SELECT value FROM sequences WHERE name = 'ending')"),
	"fewer endings":    bySQL("UPDATE sequences SET value = value - 1 WHERE name = 'ending'"),
	"a role":           bySQL("UPDATE users SET role = 2"),
	"a state":          bySQL("UPDATE users SET state = 1"),
	"another's secret": bySQL("UPDATE users SET secret_hash = (SELECT secret_hash FROM users WHERE id = 2)"),
	"another's name": bySQL("UPDATE users SET account_key = id; " +
		"UPDATE users SET account_key = 'good1@example.com' WHERE id = 2"),
}

// putBack brings a file of the older copy back.
func putBack(name string) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, _ *rand.Rand) {
		content, err := os.ReadFile(filepath.Join(dir, "older", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

func swap(a, b []byte) {
	c := slices.Clone(a)
	copy(a, b)
	copy(b, c)
}

func cut(b []byte, r *rand.Rand) []byte { return b[:r.IntN(len(b))] }

func flipThree(b []byte, r *rand.Rand) []byte {
	for range 3 {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b
}

func changeFile(name string, change func([]byte, *rand.Rand) []byte) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, random *rand.Rand) {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, change(content, random), 0o600))
	}
}

// atUsedBytes changes so many bytes that are not zero: most of a small database is.
func atUsedBytes(count int, change func(byte, *rand.Rand) byte) func(*testing.T, string, *rand.Rand) {
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

// changePages changes one page, or two, that are not the first.
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

func bySQL(statement string) func(*testing.T, string, *rand.Rand) {
	return func(t *testing.T, dir string, _ *rand.Rand) { execSQL(t, filepath.Join(dir, "latchkey.db"), statement) }
}

// patient is a data directory with all kinds of accounts and tokens, to be spoiled.
type patient struct {
	dir    string   // after an orderly stop; everything is in the file
	killed string   // after kill -9; a part is in the log
	ended  []string // tokens
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	s, older := start(t, t.TempDir(), lenient...), t.TempDir()
	mustRun(t, s.Dir, "secret1\n", "user", "add", "admin@example.com", "--nickname", "Root", "--admin", "--secret-stdin")
	must(t, s.stop(t)) // so that all this is in the file
	s = start(t, s.Dir, lenient...)
	p := &patient{dir: s.Dir, killed: t.TempDir()}
	for n := range 12 {
		if n == 6 { // an older copy
			s.kill()
			must(t, os.CopyFS(older, os.DirFS(s.Dir)))
			s = start(t, s.Dir, lenient...)
		}
		good, bad := fmt.Sprintf("good%d@example.com", n), fmt.Sprintf("bad%d@example.com", n)
		account(t, s, good)
		p.ended = append(p.ended, account(t, s, bad))
		mustRun(t, s.Dir, "", "user", "disable", bad)
		for range 2 {
			token := login(t, s, good)
			request(t, "DELETE", s.URL+"/v1/token", "", bearer(token))
			p.ended = append(p.ended, token)
		}
	}
	mustRun(t, s.Dir, "secret2\n", "user", "passwd", "good0@example.com", "--secret-stdin") // the one with another secret
	s.kill()
	must(t, os.CopyFS(filepath.Join(s.Dir, "older"), os.DirFS(older)))
	must(t, os.CopyFS(p.killed, os.DirFS(s.Dir)))
	must(t, start(t, s.Dir, lenient...).stop(t))
	return p
}

// TestDamage: in whatever way a database goes bad, the server refuses to start, or says 503, or goes on; it lets nobody
// in who was not let in before, and does not hang.
func TestDamage(t *testing.T) { damageRepeatedly(t, 4) }

// damageRepeatedly does every damage so many times.
func damageRepeatedly(t *testing.T, times int) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	p := newPatient(t)
	tried, refused, served := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(damages)) {
		for range times {
			source, dir := p.dir, filepath.Join(t.TempDir(), "data")
			if strings.HasPrefix(name, "log: ") {
				source = p.killed
			}
			must(t, os.CopyFS(dir, os.DirFS(source)))
			must(t, os.Chmod(dir, 0o700))
			must(t, os.Chmod(filepath.Join(dir, "secret"), 0o600))
			damages[name](t, dir, random)
			tried++
			switch p.survives(t, dir) {
			case false:
				refused++
			case strings.Contains(name, "ending") || strings.Contains(name, "older"):
				t.Error("the server starts")
			default:
				served++
			}
			if t.Failed() {
				t.Fatalf("by %s", name)
			}
			must(t, os.RemoveAll(dir))
		}
	}
	t.Logf("%d databases damaged in %d ways: %d starts refused, %d served, nobody let in", tried, len(damages), refused,
		served)
}

// survives starts a server on a damaged directory and sees whom it lets in. It says whether the server started.
func (p *patient) survives(t *testing.T, dir string) bool {
	t.Helper()
	began := time.Now()
	s, out := tryStart(t, dir, lenient...)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the start took %v", took)
	}
	if s == nil {
		if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "latchkey: ") {
			t.Errorf("a bad start says %q", out)
		}
		return false
	}
	defer s.kill()
	for _, token := range p.ended {
		if got := p.ask(t, "GET", s.URL+"/v1/verify", "", bearer(token)); got.Status != 401 && got.Status != 503 {
			t.Errorf("an ended token: %d %s", got.Status, got.Body)
		}
	}
	for n := 1; n < 12; n++ {
		p.refuses(t, s, fmt.Sprintf("bad%d@example.com", n), "secret1")
		p.refuses(t, s, fmt.Sprintf("good%d@example.com", n), "secret2")
		p.neverAdministrator(t, s, fmt.Sprintf("good%d@example.com", n))
	}
	if log := s.out.String(); strings.Contains(log, "panic") || strings.Contains(log, "goroutine ") {
		t.Errorf("a panic: %s", log)
	}
	return true
}

// ask sends a request, which must be answered soon.
func (p *patient) ask(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	began := time.Now()
	got := request(t, method, url, body, append(headers, asJSON)...)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%s %s took %v", method, url, took)
	}
	return got
}

func (p *patient) refuses(t *testing.T, s *server, account, secret string) {
	t.Helper()
	body := fmt.Sprintf(`{"account":%q,"secret":%q,"type":100}`, account, secret)
	if got := p.ask(t, "POST", s.URL+"/v1/token", body); got.Status < 400 {
		t.Errorf("%s gets in with %s", account, secret)
	}
}

func (p *patient) neverAdministrator(t *testing.T, s *server, account string) {
	t.Helper()
	got := p.ask(t, "POST", s.URL+"/v1/token", fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100}`, account))
	if got.Status != http.StatusCreated {
		return
	}
	if got := p.ask(t, "GET", s.URL+"/v1/users", "", bearer(tokenIn(t, got))); got.Status < 400 {
		t.Errorf("%s became an administrator", account)
	}
}

// TestRecover: whatever made the server refuse to start, latchkey recover lets it go on: no token from before is
// accepted, damaged accounts are disabled and named, all others log in.
func TestRecover(t *testing.T) {
	p := newPatient(t)
	for _, name := range []string{"an older copy", "an ending gone", "endings swapped", "a role"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			must(t, os.CopyFS(dir, os.DirFS(p.dir)))
			must(t, os.Chmod(dir, 0o700))
			must(t, os.Chmod(filepath.Join(dir, "secret"), 0o600))
			s, _ := tryStart(t, dir, lenient...)
			live := ""
			if name != "an older copy" { // in which there is no such account
				live = login(t, s, "good7@example.com")
			}
			must(t, s.stop(t))
			damages[name](t, dir, rand.New(rand.NewPCG(1, 1)))
			if name == "a role" {
				execSQL(t, filepath.Join(dir, "latchkey.db"),
					"UPDATE users SET role = 1 WHERE account NOT IN ('good3@example.com', 'admin@example.com')")
			} else if s, _ := tryStart(t, dir, lenient...); s != nil {
				t.Fatal("the server starts")
			}
			said := mustRun(t, dir, "", "recover")
			if name == "a role" != strings.Contains(said, "good3@example.com") ||
				!strings.Contains(said, "every token and every link has ended") {
				t.Errorf("recover says %s", said)
			}
			s = start(t, dir, lenient...)
			for _, token := range append(slices.Clone(p.ended), live) {
				if got := statusOf(t, s, token); got != http.StatusUnauthorized {
					t.Errorf("a token from before: %d", got)
				}
			}
			if name == "a role" {
				p.refuses(t, s, "good3@example.com", "secret1")
				mustRun(t, dir, "", "user", "enable", "good3@example.com")
			}
			for _, token := range []string{account(t, s, "new@example.com"), login(t, s, "admin@example.com")} {
				if got := statusOf(t, s, token); got != http.StatusOK {
					t.Errorf("a new token: %d", got)
				}
			}
			must(t, s.stop(t))
			must(t, start(t, dir, lenient...).stop(t))
		})
	}
}
