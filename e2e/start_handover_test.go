package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// upgradable is a server whose program can be replaced and which can hand over to a new process.
type upgradable struct {
	program, dir, url, log string
	pid                    int // of the current process
}

// newUpgradable starts a server from its own copy of the binary.
func newUpgradable(t *testing.T) *upgradable {
	t.Helper()
	dir := t.TempDir()
	u := &upgradable{program: filepath.Join(dir, "latchkey"), dir: filepath.Join(dir, "data"),
		log: filepath.Join(dir, "log")}
	u.install(t, binary)
	out, err := os.Create(u.log)
	must(t, err)
	defer out.Close()
	cmd := exec.Command(u.program, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", u.dir},
		cheapHashes...)...)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	u.pid = cmd.Process.Pid
	go func() { _ = cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(u.pid, syscall.SIGKILL) })
	await(t, "the server to start", func() bool {
		match := addressLine.FindStringSubmatch(u.logged(t))
		if match != nil {
			u.url = match[1]
		}
		return match != nil && answered(u.url+"/healthz")
	})
	return u
}

// install atomically replaces the server's program.
func (u *upgradable) install(t *testing.T, program string) {
	t.Helper()
	content, err := os.ReadFile(program)
	must(t, err)
	writeProgram(t, u.program+".new", content)
	must(t, os.Rename(u.program+".new", u.program))
}

// logged returns the server's log.
func (u *upgradable) logged(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(u.log)
	must(t, err)
	return string(text)
}

// processes returns the processes that serve the data directory.
func (u *upgradable) processes(t *testing.T) (pids []int) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range found {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), u.dir+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// upgrade makes the server hand over and waits until the old process has exited.
func (u *upgradable) upgrade(t *testing.T) (stopTook time.Duration) {
	t.Helper()
	old, began := u.pid, time.Now()
	must(t, syscall.Kill(old, syscall.SIGUSR2))
	await(t, "the new process alone", func() bool {
		pids := u.processes(t)
		if len(pids) != 1 || pids[0] == old {
			return false
		}
		u.pid = pids[0]
		return true
	})
	return time.Since(began)
}

// TestUpgrade sends SIGUSR2 under load. The new program takes over, and no request is lost.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	upgradeUnderLoad(t, 5, 500)
}

// upgradeUnderLoad upgrades several times, each after the given number of responses.
func upgradeUnderLoad(t *testing.T, times, before int) {
	u := newUpgradable(t)
	loseNothing(t, u.url, times, before, func() time.Duration {
		u.install(t, binary)
		return u.upgrade(t)
	})
}

// TestUpgradeFails upgrades to a program that does not start. The old process keeps serving and can
// be upgraded later.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	u := newUpgradable(t)
	for _, bad := range []string{"#!/bin/sh\nexit 1\n", "no program"} {
		path := filepath.Join(t.TempDir(), "bad")
		writeProgram(t, path, []byte(bad))
		u.install(t, path)
		before := strings.Count(u.logged(t), "the hand-over failed")
		must(t, syscall.Kill(u.pid, syscall.SIGUSR2))
		await(t, "the upgrade to fail",
			func() bool { return strings.Count(u.logged(t), "the hand-over failed") > before })
		if got := request(t, "GET", u.url+"/healthz", ""); got.Status != 200 || len(u.processes(t)) != 1 {
			t.Errorf("after a failed upgrade: status %d, processes %v, want 200 and one", got.Status,
				u.processes(t))
		}
	}
	u.install(t, binary)
	u.upgrade(t)
	if !answered(u.url + "/readyz") {
		t.Error("the new process is not ready")
	}
}
