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

// TestSyncedBeforeAnswered traces the server's system calls: it answers a write only after fsync of
// the write-ahead log has succeeded.
func TestSyncedBeforeAnswered(t *testing.T) {
	t.Parallel()
	syncedBeforeAnswered(t, 100)
}

// syncedBeforeAnswered traces the system calls of the given number of writes.
func syncedBeforeAnswered(t *testing.T, writes int) {
	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	program := filepath.Join(t.TempDir(), "latchkey")
	script := fmt.Sprintf("#!/bin/sh\nexec strace -D -f -y -q -s 16 -o %s -e trace=%s %s \"$@\"\n",
		trace, "pwrite64,fsync,fdatasync,write", binary)
	writeProgram(t, program, []byte(script))
	s := startProgram(t, nil, program, dir, cheapHashes...)
	for n := range writes / 2 {
		token := account(t, s, fmt.Sprintf("user%d@example.com", n)) // two writes: the account, the token
		if n%10 == 0 {
			revoke(t, s, token)
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
		case strings.Contains(line, "sync(") && strings.Contains(line, "-wal>") &&
			strings.HasSuffix(line, "= 0"),
			strings.Contains(line, "sync resumed>") && strings.HasSuffix(line, "= 0"):
			synced = true
		case strings.Contains(line, `"HTTP/1.1 201`), strings.Contains(line, `"HTTP/1.1 202`):
			if answered++; !synced {
				early++
			}
		}
	}
	t.Logf("%d writes answered, %d of them before fsync", answered, early)
	if answered < writes || early > 0 {
		t.Errorf("%d writes answered, %d before fsync; want at least %d, none before", answered, early,
			writes)
	}
}
