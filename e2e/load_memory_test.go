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

// TestTortureMemory: three minutes of logins by 200 clients, 500 connections that send their requests slowly, and
// bodies as large as are read, take no more than 160 MiB.
func TestTortureMemory(t *testing.T) {
	s := start(t, t.TempDir(), append(lenient, "--argon2-memory", "19456", "--network-tries", "100000000")...)
	token := account(t, s, "ann@example.com")
	large := fmt.Sprintf(`{"account":"ann@example.com","secret":"secret2","type":100,"x":%q}`, strings.Repeat("x", 16000))
	right := loginJSON("ann@example.com", "secret1")
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
		got, err := tryRequest("POST", s.URL+"/v1/token", body, asJSON)
		if err != nil || got.Status != 201 && got.Status != 401 && got.Status != 503 {
			t.Errorf("%d %s, %v", got.Status, got.Body, err)
		}
	}
	each(180, func() { post(right) })
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
			t.Errorf("verification: %d", got)
		}
		time.Sleep(10 * time.Millisecond)
	})
	wait.Wait()
	most := peak(t, s)
	t.Logf("at most %d MiB resident", most)
	if most > 160 {
		t.Error("more than 160 MiB")
	}
}
