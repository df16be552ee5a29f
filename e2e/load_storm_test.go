//go:build torture

package e2e_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTortureStorm has 200 clients of one network log in as fast as they can. It logs how long
// verifications and logins from other networks take before, during and after the storm, and the
// peak of the memory. No login from another network is rejected.
func TestTortureStorm(t *testing.T) {
	s := start(t, t.TempDir(), "--log-level", "error", "--trusted-proxy", "127.0.0.1/32")
	token := account(t, s, "ann@example.com")
	account(t, s, "bob@example.com")
	idle := probe(t, s, token, 3*time.Second)
	var served, shed atomic.Int64
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := tryOnce("POST", s.URL+"/v1/token", loginJSON("ann@example.com", "secret1"),
					asJSON, "X-Forwarded-For: 192.0.2.1")
				switch {
				case err != nil:
					t.Error(err)
					return
				case got.Status == 201:
					served.Add(1)
				case got.Status == 503 && got.Header.Get("Retry-After") == "1":
					shed.Add(1)
					time.Sleep(time.Second) // the Retry-After
				default:
					t.Errorf("login: status %d, want 201 or 503: %s", got.Status, got.Body)
					return
				}
			}
		})
	}
	started := time.Now()
	fresh := make(chan quantiles)
	go func() { fresh <- freshLogins(t, s, 20*time.Second) }()
	storm := probe(t, s, token, 20*time.Second)
	took := time.Since(started).Seconds()
	elsewhere := <-fresh
	logins, rejected := served.Load(), shed.Load()
	close(stop)
	wait.Wait()
	after := probe(t, s, token, 3*time.Second)
	t.Logf("idle  %v", idle)
	t.Logf("storm %v; %.1f logins/s, %d rejected, peak memory %d MiB",
		storm, float64(logins)/took, rejected, peakMemory(t, s))
	t.Logf("logins from other networks %v", elsewhere)
	t.Logf("after %v", after)
}

// freshLogins logs in four times a second, each time from another network.
func freshLogins(t *testing.T, s *server, length time.Duration) quantiles {
	var took []time.Duration
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(length); time.Now().Before(until); {
		<-tick.C
		started := time.Now()
		got, err := tryOnce("POST", s.URL+"/v1/token", loginJSON("bob@example.com", "secret1"),
			asJSON, fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", len(took)))
		if err != nil || got.Status != 201 {
			t.Errorf("a login from another network: status %d, %v, want 201: %s", got.Status, err, got.Body)
		}
		took = append(took, time.Since(started))
	}
	return quantilesOf(took)
}

// probe verifies a token every five milliseconds, without waiting for earlier responses.
func probe(t *testing.T, s *server, token string, length time.Duration) quantiles {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var wait sync.WaitGroup
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(length); time.Now().Before(until); {
		<-tick.C
		wait.Go(func() {
			started := time.Now()
			got, err := tryOnce("GET", s.URL+"/v1/verify", "", bearer(token))
			if err != nil || got.Status != 200 {
				t.Errorf("verification: status %d, %v, want 200", got.Status, err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(started))
		})
	}
	wait.Wait()
	return quantilesOf(took)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory returns the peak of a server's resident memory in MiB.
func peakMemory(t *testing.T, s *server) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	must(t, err)
	found := highWater.FindStringSubmatch(strings.ReplaceAll(string(status), "\t", " "))
	if found == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	kib, err := strconv.Atoi(found[1])
	must(t, err)
	return kib / 1024
}
