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

// soakLength is how long TestTortureSoak lasts; LATCHKEY_SOAK makes it another (10m).
const soakLength = time.Hour

// TestTortureSoak: an hour of steady use leaves the server as it was. Each second has 200 verifications, 2 logins, 1
// wrong login and 1 ending of a token, each ten minutes a new key, and the tokens live for five minutes. It prints
// how the resident memory grows after the first sixth, and fails when that is over 8 MiB an hour, when the
// descriptors grow, or at any 5xx. The 19 MiB of a hash come and go with the collector, so the memory is a saw: what
// is judged is the line through its crests.
func TestTortureSoak(t *testing.T) {
	length := soakLength
	if text := os.Getenv("LATCHKEY_SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		must(t, err)
	}
	s := start(t, t.TempDir(), "--log-level", "error", "--token-ttl", "5m", "--revocation-lag", "5s", "--trusted-proxy",
		"127.0.0.1/32")
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
	every(time.Second, k.wrong)
	every(time.Second, k.end)
	every(length/6, func() { mustRun(t, s.Dir, "", "key", "rotate") })
	every(length/60, func() { samples = append(samples, k.measure(t)) })
	wait.Wait()
	last, growth := k.measure(t), slope(crests(samples[len(samples)/6:], 10))
	t.Logf("%d verifications, %d logins, %d wrong ones, %d endings, %d failures in %v", k.verified.Load(), k.logins.Load(),
		k.wrongs.Load(), k.ended.Load(), k.failed.Load(), length)
	for i := 0; i < len(samples); i += max(1, len(samples)/12) {
		t.Logf("%s", samples[i])
	}
	t.Logf("%s; resident memory grows by %.2f MiB an hour", last, growth)
	if growth > 8 || last.descriptors > base.descriptors+8 || k.failed.Load() != 0 {
		t.Errorf("before: %s", base)
	}
}

// crests are the highest of each n parts of the samples.
func crests(samples []sample, n int) []sample {
	var highest []sample
	for part := range slices.Chunk(samples, max(1, len(samples)/n)) {
		highest = append(highest, slices.MaxFunc(part, func(a, b sample) int { return cmp.Compare(a.memory, b.memory) }))
	}
	return highest
}

// slope is how fast the resident memory grows in MiB an hour: the line through the samples with the least squares.
func slope(samples []sample) float64 {
	var x, y, xx, xy float64
	n := float64(len(samples))
	for _, m := range samples {
		hours := m.at.Sub(samples[0].at).Hours()
		x, y, xx, xy = x+hours, y+m.memory, xx+hours*hours, xy+hours*m.memory
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// soak is steady use of a server.
type soak struct {
	server *server

	mu     sync.Mutex
	tokens []string // newest last

	verified, logins, wrongs, ended, failed atomic.Int64
}

// sample is what a server holds at a moment.
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

// count notes an answer; one that is not as expected is a failure.
func (k *soak) count(n *atomic.Int64, got reply, err error, want ...int) {
	n.Add(1)
	for _, status := range want {
		if err == nil && got.Status == status {
			return
		}
	}
	k.failed.Add(1)
	fmt.Printf("soak: %d %s, %v\n", got.Status, got.Body, err)
}

func (k *soak) login() {
	got, err := tryRequest("POST", k.server.URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
		asJSON)
	k.count(&k.logins, got, err, 201)
	var answer struct{ Token string }
	if json.Unmarshal([]byte(got.Body), &answer) != nil || answer.Token == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tokens = append(k.tokens, answer.Token)
	if len(k.tokens) > 100 {
		k.tokens = k.tokens[len(k.tokens)-100:]
	}
}

// newest is the token of the last login.
func (k *soak) newest() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tokens[len(k.tokens)-1]
}

func (k *soak) verify() {
	got, err := tryRequest("GET", k.server.URL+"/v1/verify", "", basic(k.newest(), ""))
	k.count(&k.verified, got, err, 200)
}

// wrong guesses at accounts that are not there, from ever other networks.
func (k *soak) wrong() {
	n := k.wrongs.Load()
	got, err := tryRequest("POST", k.server.URL+"/v1/token", loginJSON(fmt.Sprintf("nobody%d@example.com", n%997), "secret1"), asJSON,
		fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", n/250%250, n%250))
	k.count(&k.wrongs, got, err, 404, 429)
}

// end ends a token that is used no more.
func (k *soak) end() {
	k.mu.Lock()
	if len(k.tokens) < 20 {
		k.mu.Unlock()
		return
	}
	oldest := k.tokens[0]
	k.tokens = k.tokens[1:]
	k.mu.Unlock()
	got, err := tryRequest("DELETE", k.server.URL+"/v1/token", "", bearer(oldest))
	k.count(&k.ended, got, err, 200, 202)
}
