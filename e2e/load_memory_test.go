//go:build torture

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTortureMemory runs 200 clients that log in, some with bodies of the maximum size, and 500
// slow connections for three minutes. The server takes at most 160 MiB of memory.
func TestTortureMemory(t *testing.T) {
	s := start(t, t.TempDir(), append(lenient, "--argon2-memory", "19456", "--network-tries",
		"100000000")...)
	token := account(t, s, "ann@example.com")
	large := fmt.Sprintf(`{"account":"ann@example.com","secret":"secret2","type":100,"x":%q}`,
		strings.Repeat("x", 16000))
	small := loginJSON("ann@example.com", "secret1")
	until := time.Now().Add(3 * time.Minute)
	var wait sync.WaitGroup
	each := func(count int, work func()) {
		for range count {
			wait.Go(func() {
				for time.Now().Before(until) {
					work()
				}
			})
		}
	}
	post := func(body string) {
		got, err := tryOnce("POST", s.URL+"/v1/token", body, asJSON)
		if err != nil || got.Status != 201 && got.Status != 401 && got.Status != 503 {
			t.Errorf("login: status %d, %v, want 201, 401 or 503: %s", got.Status, err, got.Body)
		}
	}
	each(180, func() { post(small) })
	each(20, func() { post(large) })
	each(500, func() {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, err = io.WriteString(conn, halfBody)
		for err == nil {
			time.Sleep(100 * time.Millisecond)
			_, err = io.WriteString(conn, "x")
		}
	})
	each(1, func() {
		if got := statusOf(t, s, token); got != 200 {
			t.Errorf("verification: status %d, want 200", got)
		}
		time.Sleep(10 * time.Millisecond)
	})
	wait.Wait()
	if peak := peakMemory(t, s); peak > 160 {
		t.Errorf("the server took %d MiB, want at most 160", peak)
	} else {
		t.Logf("at most %d MiB resident", peak)
	}
}
