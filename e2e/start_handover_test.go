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

// upgradable is a server whose program can be replaced, and which may have handed over to another process.
type upgradable struct {
	program, dir, url, log string
	pid                    int
}

func newUpgradable(t *testing.T) *upgradable {
	t.Helper()
	dir := t.TempDir()
	u := &upgradable{program: filepath.Join(dir, "latchkey"), dir: filepath.Join(dir, "data"),
		log: filepath.Join(dir, "log")}
	u.install(t, binary)
	out, err := os.Create(u.log)
	must(t, err)
	defer out.Close()
	cmd := exec.Command(u.program, append([]string{"serve", "--addr", "127.0.0.1:0", "--data", u.dir}, cheapHashes...)...)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	u.pid = cmd.Process.Pid
	go func() { _ = cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(u.pid, syscall.SIGKILL) })
	await(t, "the server to start", func() bool {
		match := addressLine.FindStringSubmatch(u.said(t))
		if match != nil {
			u.url = match[1]
		}
		return match != nil && answered(u.url+"/healthz")
	})
	return u
}

// install puts a program in the place of the server's own, at once.
func (u *upgradable) install(t *testing.T, program string) {
	t.Helper()
	content, err := os.ReadFile(program)
	must(t, err)
	must(t, os.WriteFile(u.program+".new", content, 0o700))
	must(t, os.Rename(u.program+".new", u.program))
}

func (u *upgradable) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(u.log)
	must(t, err)
	return string(text)
}

// processes are those that run the server's program, whichever it was.
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

// upgrade has the server hand over and waits until the old process is gone.
func (u *upgradable) upgrade(t *testing.T) (stopTook time.Duration) {
	t.Helper()
	old, began := u.pid, time.Now()
	must(t, syscall.Kill(old, syscall.SIGUSR2))
	await(t, "another process alone", func() bool {
		pids := u.processes(t)
		if len(pids) != 1 || pids[0] == old {
			return false
		}
		u.pid = pids[0]
		return true
	})
	return time.Since(began)
}

// TestUpgrade: on SIGUSR2 the program that is there now takes over, and no request is lost.
func TestUpgrade(t *testing.T) { upgradeUnderLoad(t, 5, 500) }

func upgradeUnderLoad(t *testing.T, times, before int) {
	u := newUpgradable(t)
	loseNothing(t, u.url, times, before, func() time.Duration {
		u.install(t, binary)
		return u.upgrade(t)
	})
}

// TestUpgradeFails: when the new program does not start, or is none, the old process goes on, and can be upgraded
// later.
func TestUpgradeFails(t *testing.T) {
	u := newUpgradable(t)
	for _, bad := range []string{"#!/bin/sh\nexit 1\n", "no program"} {
		path := filepath.Join(t.TempDir(), "bad")
		must(t, os.WriteFile(path, []byte(bad), 0o700))
		u.install(t, path)
		before := strings.Count(u.said(t), "the upgrade failed")
		must(t, syscall.Kill(u.pid, syscall.SIGUSR2))
		await(t, "the upgrade to fail", func() bool { return strings.Count(u.said(t), "the upgrade failed") > before })
		if got := request(t, "GET", u.url+"/healthz", ""); got.Status != 200 || len(u.processes(t)) != 1 {
			t.Errorf("after a bad program: %d, processes %v", got.Status, u.processes(t))
		}
	}
	u.install(t, binary)
	u.upgrade(t)
	if !answered(u.url + "/readyz") {
		t.Error("the new process is not ready")
	}
}
