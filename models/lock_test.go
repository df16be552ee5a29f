package models

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"latchkey/models/postgrestest"
)

// TestLock: one holder at a time, each after the other.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	var held atomic.Bool
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				unlock, err := Lock(dir)
				if err != nil || !held.CompareAndSwap(false, true) {
					t.Errorf("a second holder, or %v", err)
					return
				}
				runtime.Gosched()
				held.Store(false)
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if _, err := Lock(filepath.Join(dir, "missing")); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("a missing directory: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the lock has created %v, %v", entries, err)
	}
}

const lockHolder = "LATCHKEY_TEST_LOCK" // the directory that TestLockOfKilledProcess's child locks

// TestLockOfKilledProcess: another process's lock holds until that process is killed.
func TestLockOfKilledProcess(t *testing.T) {
	if dir := os.Getenv(lockHolder); dir != "" {
		_, err := Lock(dir)
		os.Stdout.WriteString("locked\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		t.Fatal("not killed", err)
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestLockOfKilledProcess$")
	child.Env = append(os.Environ(), lockHolder+"="+dir, postgrestest.Variable+"=")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if free, err := newFileLock(dir).TryLock(); free || err != nil {
		t.Errorf("the lock is free: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = unlock(), child.Wait()
}
