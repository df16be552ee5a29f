//go:build bench

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/argon2"

	"latchkey/auth"
	"latchkey/models"
)

// userJSON is the response to GET /v1/user for the account of the benchmarks.
const userJSON = `{"auth":1,"email":"a@b.cn","id":1,"nickname":"Ann"}` + "\n"

// TestBareEcho is not a test: startBare runs it in its own process as the baseline server.
func TestBareEcho(t *testing.T) {
	if os.Getenv("BARE_ECHO") == "" {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	fmt.Printf("address http://%s\n", listener.Addr())
	e := echo.New()
	var guards []echo.MiddlewareFunc
	if dir := os.Getenv("REQUIRE_TOKEN"); dir != "" {
		guards = append(guards, openAuthority(t, dir).Require(models.UserScope, models.AnyKind))
	}
	e.GET("/v1/user", func(c echo.Context) error {
		return c.JSON(http.StatusOK, struct {
			Auth     int    `json:"auth"`
			EMail    string `json:"email"`
			ID       int    `json:"id"`
			Nickname string `json:"nickname"`
		}{1, "a@b.cn", 1, "Ann"})
	}, guards...)
	_ = http.Serve(listener, e)
}

// openAuthority opens a data directory for verification.
func openAuthority(t *testing.T, dir string) *auth.Authority {
	t.Helper()
	path := filepath.Join(dir, "secret")
	secret, err := auth.LoadMasterKey(path)
	must(t, err)
	store, err := models.Open(t.Context(), dir, false)
	must(t, err)
	ring, err := auth.LoadKeyRing(t.Context(), store, secret, path)
	must(t, err)
	authority, err := auth.NewAuthority(t.Context(), store, ring, auth.Options{})
	must(t, err)
	go authority.Run(t.Context())
	return authority
}

// startBare starts an Echo server that responds with userJSON. With a data directory it requires a
// token first.
func startBare(b *testing.B, dir string) string {
	b.Helper()
	out := &lockedBuffer{}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBareEcho$")
	cmd.Env = append(os.Environ(), "BARE_ECHO=1", "REQUIRE_TOKEN="+dir)
	cmd.Stdout = out
	must(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := regexp.MustCompile(`address +(http://\S+)`)
	await(b, "the bare server", func() bool { return line.MatchString(out.String()) })
	return line.FindStringSubmatch(out.String())[1]
}

// userRate returns how many requests a second for GET /v1/user clients with kept connections make.
func userRate(b *testing.B, url, header string, requests int) float64 {
	b.Helper()
	return requestRate(b, url+"/v1/user", header, userJSON, requests)
}

// requestRate is userRate for another URL, whose response is want.
func requestRate(b *testing.B, url, header, want string, requests int) float64 {
	b.Helper()
	const clients = 8
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var wait sync.WaitGroup
	began := time.Now()
	for range clients {
		wait.Go(func() {
			for range requests / clients {
				req, _ := http.NewRequest("GET", url, nil)
				req.Header.Set("Authorization", header)
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || string(body) != want {
					b.Errorf("response %s, %v, want %s", body, err, want)
					return
				}
			}
		})
	}
	wait.Wait()
	return float64(requests) / time.Since(began).Seconds()
}

// residentKiB returns a process's resident memory in KiB.
func residentKiB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	kib := regexp.MustCompile(`VmRSS:\s+(\d+)`).FindStringSubmatch(string(status))[1]
	n, _ := strconv.ParseFloat(kib, 64)
	return n
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// benchServer starts a server with one account and returns the Authorization header of a token.
func benchServer(b *testing.B, args ...string) (s *server, header string) {
	b.Helper()
	dir := b.TempDir()
	addUser(b, dir, "a@b.cn")
	token := mustRun(b, dir, "", "token", "issue", "a@b.cn", "--ttl", "24h")
	return start(b, dir, args...), strings.TrimPrefix(basic(token, ""), "Authorization: ")
}

// BenchmarkVerification compares GET /v1/user with a bare Echo handler with the same response, in
// turns. The server verifies the token, looks up the user and, in "server-logged", writes its
// access log. In "middleware-alone" auth.Require guards the bare handler, which shows the cost of
// verification.
func BenchmarkVerification(b *testing.B) {
	bare := startBare(b, "")
	for name, level := range map[string]string{"server-logged": "info", "server-quiet": "warn"} {
		b.Run(name, func(b *testing.B) {
			s, header := benchServer(b, "--log-level", level)
			compare(b, bare, s.URL, header)
		})
	}
	b.Run("middleware-alone", func(b *testing.B) {
		s, header := benchServer(b)
		s.kill()
		compare(b, bare, startBare(b, s.Dir), header)
	})
}

// compare measures two servers in turns and reports the median of the ratios.
func compare(b *testing.B, bare, ours, header string) {
	b.Helper()
	var ratios, here, there []float64
	for range 9 {
		one, two := userRate(b, bare, header, 8000), userRate(b, ours, header, 8000)
		ratios, here, there = append(ratios, two/one), append(here, two), append(there, one)
	}
	b.ReportMetric(median(ratios), "ratio-to-bare-echo")
	b.ReportMetric(median(here), "requests/s")
	b.ReportMetric(median(there), "bare-requests/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory reports the resident memory when idle and after 20,000 and 120,000 verifications.
func BenchmarkMemory(b *testing.B) {
	s, header := benchServer(b, "--log-level", "warn")
	idle := residentKiB(b, s.cmd.Process.Pid)
	userRate(b, s.URL, header, 20_000)
	warm := residentKiB(b, s.cmd.Process.Pid)
	userRate(b, s.URL, header, 100_000)
	b.ReportMetric(idle/1024, "MiB-idle")
	b.ReportMetric(warm/1024, "MiB-after-20k")
	b.ReportMetric(residentKiB(b, s.cmd.Process.Pid)/1024, "MiB-after-120k")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLogin compares logins a second with the rate of argon2id alone, on as many cores as the
// server uses for hashing, in turns.
func BenchmarkLogin(b *testing.B) {
	s, _ := benchServer(b, "--log-level", "warn", "--max-tokens", "10000")
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	const hashes = 60
	var ratios, ours []float64
	for range 5 {
		raw := inParallel(slots, hashes,
			func() { argon2.IDKey([]byte("secret1"), make([]byte, 16), 2, 19456, 1, 32) })
		logins := inParallel(slots+1, hashes, func() {
			body := loginJSON("a@b.cn", "secret1")
			if got, err := tryOnce("POST", s.URL+"/v1/token", body, asJSON); err != nil ||
				got.Status != 201 {
				b.Errorf("login: status %d, %v, want 201: %s", got.Status, err, got.Body)
			}
		})
		ratios, ours = append(ratios, logins/raw), append(ours, logins)
	}
	b.ReportMetric(median(ratios), "ratio-to-argon2id")
	b.ReportMetric(median(ours), "logins/s")
	b.ReportMetric(0, "ns/op")
}

// inParallel runs do n times on several goroutines and returns the rate per second.
func inParallel(workers, n int, do func()) float64 {
	jobs := make(chan struct{}, n)
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	began := time.Now()
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range jobs {
				do()
			}
		})
	}
	wait.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkStart measures the time from starting the process to its first response, on an existing
// data directory.
func BenchmarkStart(b *testing.B) {
	first, _ := benchServer(b)
	first.kill()
	var times []float64
	for range 20 {
		began := time.Now()
		s := start(b, first.Dir)
		times = append(times, float64(time.Since(began).Microseconds())/1000)
		s.kill()
	}
	b.ReportMetric(median(times), "ms-to-first-answer")
	b.ReportMetric(0, "ns/op")
}
