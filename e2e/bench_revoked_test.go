//go:build bench

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const million = 1_000_000

// revokedServer is benchServer with tokens that were revoked one by one. started is how long the
// start took.
func revokedServer(b *testing.B, revoked int) (s *server, header string, started time.Duration) {
	b.Helper()
	s, header = benchServer(b, "--log-level", "warn")
	s.kill()
	path, now := filepath.Join(s.Dir, "latchkey.db"), time.Now().Unix()
	execSQL(b, path, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason)
		SELECT i, 2 + i %% 1000, (%d - i / 4096) * 4096 + i %% 4096, 0, %d, 0, %d, 'logged out' FROM n`,
		revoked, now, now+86400, now))
	execSQL(b, path, fmt.Sprintf("UPDATE sequences SET value = %d WHERE name = 'ending'", revoked))
	rewriteRevocationChecksum(b, path)
	began := time.Now()
	s = start(b, s.Dir, "--log-level", "warn")
	return s, header, time.Since(began)
}

// BenchmarkRevoked compares a server with a million revoked tokens with one that has none, in
// turns: requests a second, time to start, memory.
func BenchmarkRevoked(b *testing.B) {
	none, header, startNone := revokedServer(b, 1)
	many, manyHeader, startMany := revokedServer(b, million)
	memory := residentKiB(b, many.cmd.Process.Pid) - residentKiB(b, none.cmd.Process.Pid)
	var ratios []float64
	for range 9 {
		one := userRate(b, none.URL, header, 8000)
		ratios = append(ratios, userRate(b, many.URL, manyHeader, 8000)/one)
	}
	b.ReportMetric(median(ratios), "ratio-to-none-revoked")
	b.ReportMetric(memory/1024, "MiB-more")
	b.ReportMetric(float64((startMany - startNone).Milliseconds()), "ms-start-more")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWhileRevoking measures how long a verification takes over loopback, while none and while
// 100 tokens a second are revoked.
func BenchmarkWhileRevoking(b *testing.B) {
	s, header := benchServer(b, "--log-level", "warn", "--max-tokens", "1000")
	owner := login(b, s, "a@b.cn")
	var tokens []string
	for range 600 {
		got := request(b, "POST", s.URL+"/v1/tokens", `{"label":"x","lifetime":3600}`, asJSON,
			bearer(owner))
		tokens = append(tokens, tokenIn(b, got))
	}
	quiet := percentile(latencies(b, s, header, 5*time.Second), 99)
	var stop atomic.Bool
	var wait sync.WaitGroup
	revoked := 0
	wait.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for _, token := range tokens {
			if <-tick.C; stop.Load() {
				return
			}
			if got := request(b, "DELETE", s.URL+"/v1/token", "", bearer(token)); got.Status == 202 {
				revoked++
			}
		}
	})
	during := percentile(latencies(b, s, header, 5*time.Second), 99)
	stop.Store(true)
	wait.Wait()
	b.ReportMetric(float64(quiet.Microseconds()), "us-p99-quiet")
	b.ReportMetric(float64(during.Microseconds()), "us-p99-while-revoking")
	b.ReportMetric(float64(revoked)/5, "revoked/s")
	b.ReportMetric(0, "ns/op")
}

// latencies sends requests one after the other for a time and returns how long each took.
func latencies(
	b *testing.B, s *server, header string, during time.Duration,
) (took []time.Duration) {
	b.Helper()
	for began := time.Now(); time.Since(began) < during; {
		asked := time.Now()
		if got := request(b, "GET", s.URL+"/v1/user", "", "Authorization: "+header); got.Status != 200 {
			b.Fatalf("GET /v1/user: status %d, want 200: %s", got.Status, got.Body)
		}
		took = append(took, time.Since(asked))
	}
	return took
}

func percentile(took []time.Duration, p int) time.Duration {
	slices.Sort(took)
	return took[len(took)*p/100]
}

// BenchmarkRevokedFile reports the size of a database with a million revoked tokens.
func BenchmarkRevokedFile(b *testing.B) {
	s, _, _ := revokedServer(b, million)
	info, err := os.Stat(filepath.Join(s.Dir, "latchkey.db"))
	must(b, err)
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
	b.ReportMetric(0, "ns/op")
}
