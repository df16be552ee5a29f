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

// endedServer is benchServer beside so many tokens that were ended one by one.
func endedServer(b *testing.B, ended int) (s *server, header string, started time.Duration) {
	b.Helper()
	s, header = benchServer(b, "--log-level", "warn")
	s.kill()
	path, now := filepath.Join(s.Dir, "latchkey.db"), time.Now().Unix()
	execSQL(b, path, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO endings (seq, uid, token_order, earlier_too, expires_at, ends_at, ended_at, reason)
		SELECT i, 2 + i %% 1000, (%d - i / 4096) * 4096 + i %% 4096, 0, %d, 0, %d, 'logged out' FROM n`,
		ended, now, now+86400, now))
	execSQL(b, path, fmt.Sprintf("UPDATE sequences SET value = %d WHERE name = 'ending'", ended))
	rewriteRevocationChecksum(b, path)
	began := time.Now()
	s = start(b, s.Dir, "--log-level", "warn")
	return s, header, time.Since(began)
}

// BenchmarkRevoked compares a server that holds a million ended tokens with one that holds none, in turns: requests a
// second, start, memory.
func BenchmarkRevoked(b *testing.B) {
	none, header, startNone := endedServer(b, 1)
	many, manyHeader, startMany := endedServer(b, million)
	memory := residentKiB(b, many.cmd.Process.Pid) - residentKiB(b, none.cmd.Process.Pid)
	var ratios []float64
	for range 9 {
		one := rate(b, none.URL, header, 8000)
		ratios = append(ratios, rate(b, many.URL, manyHeader, 8000)/one)
	}
	b.ReportMetric(median(ratios), "ratio-to-none-ended")
	b.ReportMetric(memory/1024, "MiB-more")
	b.ReportMetric(float64((startMany - startNone).Milliseconds()), "ms-start-more")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWhileRevoking: how long a verification takes, over loopback, while 100 tokens a second are ended and while
// none is.
func BenchmarkWhileRevoking(b *testing.B) {
	s, header := benchServer(b, "--log-level", "warn")
	owner := login(b, s, "a@b.cn")
	var tokens []string
	for range 600 {
		got := request(b, "POST", s.URL+"/v1/tokens", `{"label":"x","lifetime":3600}`, asJSON, bearer(owner))
		tokens = append(tokens, tokenIn(b, got))
	}
	quietly := percentile(latencies(b, s, header, 5*time.Second), 99)
	var stop atomic.Bool
	var wait sync.WaitGroup
	ended := 0
	wait.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for _, token := range tokens {
			if <-tick.C; stop.Load() {
				return
			}
			if got := request(b, "DELETE", s.URL+"/v1/token", "", bearer(token)); got.Status == 202 {
				ended++
			}
		}
	})
	during := percentile(latencies(b, s, header, 5*time.Second), 99)
	stop.Store(true)
	wait.Wait()
	b.ReportMetric(float64(quietly.Microseconds()), "us-p99-quiet")
	b.ReportMetric(float64(during.Microseconds()), "us-p99-while-ending")
	b.ReportMetric(float64(ended)/5, "ended/s")
	b.ReportMetric(0, "ns/op")
}

// latencies asks one after the other for a time.
func latencies(b *testing.B, s *server, header string, during time.Duration) (took []time.Duration) {
	b.Helper()
	for began := time.Now(); time.Since(began) < during; {
		asked := time.Now()
		if got := request(b, "GET", s.URL+"/v1/user", "", "Authorization: "+header); got.Status != 200 {
			b.Fatalf("%d %s", got.Status, got.Body)
		}
		took = append(took, time.Since(asked))
	}
	return took
}

func percentile(took []time.Duration, p int) time.Duration {
	slices.Sort(took)
	return took[len(took)*p/100]
}

// BenchmarkRevokedFile prints how large a database with a million ended tokens is.
func BenchmarkRevokedFile(b *testing.B) {
	s, _, _ := endedServer(b, million)
	info, err := os.Stat(filepath.Join(s.Dir, "latchkey.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
	b.ReportMetric(0, "ns/op")
}
