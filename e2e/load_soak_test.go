//go:build torture

package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soakLength is the default length of TestTortureSoak; LATCHKEY_SOAK changes it (10m).
const soakLength = time.Hour

// TestTortureSoak uses the server steadily for an hour: 200 verifications, 2 logins, 1 failed login
// and 1 revocation a second, and a new key every ten minutes; tokens live for five minutes. The
// test fails if the resident memory grows by more than 8 MiB an hour after the first sixth, if the
// number of descriptors grows, or at any 5xx. The 19 MiB of a hash come and go with garbage
// collection, so the test judges the line through the peaks of the memory.
func TestTortureSoak(t *testing.T) {
	length := soakLength
	if text := os.Getenv("LATCHKEY_SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		must(t, err)
	}
	s := start(t, t.TempDir(), "--log-level", "error", "--max-tokens", "10000",
		"--token-ttl", "5m", "--revocation-lag", "5s",
		"--trusted-proxy", "127.0.0.1/32")
	k := &soak{server: s}
	account(t, s, "ann@example.com")
	k.login()
	var wait sync.WaitGroup
	every := func(pause time.Duration, work func()) {
		wait.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for until := time.Now().Add(length); time.Now().Before(until); {
				<-tick.C
				work()
			}
		})
	}
	base := k.measure(t)
	var samples []sample
	every(5*time.Millisecond, k.verify)
	every(500*time.Millisecond, k.login)
	every(time.Second, k.fail)
	every(time.Second, k.revoke)
	every(length/6, func() { mustRun(t, s.Dir, "", "key", "rotate") })
	every(length/60, func() { samples = append(samples, k.measure(t)) })
	wait.Wait()
	last, growth := k.measure(t), slope(peaks(samples[len(samples)/6:], 10))
	t.Logf("%d verifications, %d logins, %d failed logins, %d revocations, %d unexpected responses in %v",
		k.verified.Load(), k.logins.Load(), k.fails.Load(), k.revoked.Load(), k.unexpected.Load(), length)
	for i := 0; i < len(samples); i += max(1, len(samples)/12) {
		t.Logf("%s", samples[i])
	}
	t.Logf("%s; resident memory grows by %.2f MiB an hour", last, growth)
	if growth > 8 || last.descriptors > base.descriptors+8 || k.unexpected.Load() != 0 {
		t.Errorf("memory or descriptors grew, or a response was unexpected; before: %s", base)
	}
}

// peaks returns the sample with the most memory of each of n parts.
func peaks(samples []sample, n int) []sample {
	var highest []sample
	for part := range slices.Chunk(samples, max(1, len(samples)/n)) {
		highest = append(highest, slices.MaxFunc(part,
			func(a, b sample) int { return cmp.Compare(a.memory, b.memory) }))
	}
	return highest
}

// slope returns how fast the resident memory grows, in MiB an hour: the least-squares line through
// the samples.
func slope(samples []sample) float64 {
	var x, y, xx, xy float64
	n := float64(len(samples))
	for _, m := range samples {
		hours := m.at.Sub(samples[0].at).Hours()
		x, y, xx, xy = x+hours, y+m.memory, xx+hours*hours, xy+hours*m.memory
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// soak uses a server steadily.
type soak struct {
	server *server

	mu     sync.Mutex
	tokens []string // newest last

	verified, logins, fails, revoked, unexpected atomic.Int64
}

// sample is what a server uses at a time.
type sample struct {
	at               time.Time
	memory           float64 // MiB, resident
	descriptors      int
	database, walLog float64 // MiB
}

func (m sample) String() string {
	return fmt.Sprintf("%s: %.1f MiB resident, %d descriptors, database %.1f MiB and log %.1f MiB",
		m.at.Format("15:04:05"), m.memory, m.descriptors, m.database, m.walLog)
}

// measure takes a sample.
func (k *soak) measure(t *testing.T) sample {
	proc := "/proc/" + strconv.Itoa(k.server.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		t.Error(err)
		return sample{}
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	open, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Error(err)
	}
	size := func(name string) float64 {
		info, err := os.Stat(filepath.Join(k.server.Dir, name))
		if err != nil {
			return 0
		}
		return float64(info.Size()) / (1 << 20)
	}
	return sample{time.Now(), kib / 1024, len(open), size("latchkey.db"), size("latchkey.db-wal")}
}

// count counts a response and whether its status is expected.
func (k *soak) count(n *atomic.Int64, got reply, err error, want ...int) {
	n.Add(1)
	for _, status := range want {
		if err == nil && got.Status == status {
			return
		}
	}
	k.unexpected.Add(1)
	fmt.Printf("soak: %d %s, %v\n", got.Status, got.Body, err)
}

// login logs in and keeps the token.
func (k *soak) login() {
	got, err := tryOnce("POST", k.server.URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
		asJSON)
	k.count(&k.logins, got, err, 201)
	var issued struct{ Token string }
	if json.Unmarshal([]byte(got.Body), &issued) != nil || issued.Token == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens = append(k.tokens, issued.Token)
	if len(k.tokens) > 100 {
		k.tokens = k.tokens[len(k.tokens)-100:]
	}
}

// newest returns the token of the last login.
func (k *soak) newest() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tokens[len(k.tokens)-1]
}

// verify verifies the newest token.
func (k *soak) verify() {
	got, err := tryOnce("GET", k.server.URL+"/v1/verify", "", basic(k.newest(), ""))
	k.count(&k.verified, got, err, 200)
}

// fail tries to log in to unknown accounts from changing networks.
func (k *soak) fail() {
	n := k.fails.Load()
	body := loginJSON(fmt.Sprintf("nobody%d@example.com", n%997), "secret1")
	got, err := tryOnce("POST", k.server.URL+"/v1/token", body, asJSON,
		fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", n/250%250, n%250))
	k.count(&k.fails, got, err, 404, 429)
}

// revoke revokes the oldest token.
func (k *soak) revoke() {
	k.mu.Lock()
	if len(k.tokens) < 20 {
		k.mu.Unlock()
		return
	}
	oldest := k.tokens[0]
	k.tokens = k.tokens[1:]
	k.mu.Unlock()
	got, err := tryOnce("DELETE", k.server.URL+"/v1/token", "", bearer(oldest))
	k.count(&k.revoked, got, err, 200, 202)
}
