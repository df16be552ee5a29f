//go:build e2e || torture

package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSyncedBeforeAnswered: what the kernel was asked shows that each answer to a write left after the disk had said
// that everything written to the database's log is on it.
func TestSyncedBeforeAnswered(t *testing.T) { syncedBeforeAnswered(t, 100) }

// syncedBeforeAnswered traces the system calls of so many writes.
func syncedBeforeAnswered(t *testing.T, writes int) {
	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	program := filepath.Join(t.TempDir(), "latchkey")
	script := fmt.Sprintf("#!/bin/sh\nexec strace -D -f -y -q -s 16 -o %s -e trace=%s %s \"$@\"\n", trace,
		"pwrite64,fsync,fdatasync,write", binary)
	must(t, os.WriteFile(program, []byte(script), 0o700))
	s := startProgram(t, nil, program, dir, cheapHashes...)
	for n := range writes / 2 {
		token := account(t, s, fmt.Sprintf("user%d@example.com", n)) // two writes: the account, the token
		if n%10 == 0 {
			request(t, "DELETE", s.URL+"/v1/token", "", bearer(token))
		}
	}
	must(t, s.stop(t))
	await(t, "the trace to end", func() bool {
		text, err := os.ReadFile(trace)
		return err == nil && strings.HasSuffix(string(text), "+++ exited with 0 +++\n")
	})
	f, err := os.Open(trace)
	must(t, err)
	defer f.Close()
	answered, early, synced := 0, 0, true
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.Contains(line, "pwrite64(") && strings.Contains(line, "-wal>"):
			synced = false
		case strings.Contains(line, "sync(") && strings.Contains(line, "-wal>") && strings.HasSuffix(line, "= 0"),
			strings.Contains(line, "sync resumed>") && strings.HasSuffix(line, "= 0"):
			synced = true
		case strings.Contains(line, `"HTTP/1.1 201`), strings.Contains(line, `"HTTP/1.1 202`):
			if answered++; !synced {
				early++
			}
		}
	}
	t.Logf("%d answers to writes, %d before everything was on the disk", answered, early)
	if answered < writes || early > 0 {
		t.Errorf("want at least %d answers, none early", writes)
	}
}
