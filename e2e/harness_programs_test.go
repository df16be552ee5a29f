//go:build e2e || bench || torture

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// background runs a program until the test ends. done is closed when the program has exited.
func background(
	tb testing.TB, dir, name string, args ...string,
) (out *lockedBuffer, done chan struct{}) {
	tb.Helper()
	out, done = &lockedBuffer{}, make(chan struct{})
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	must(tb, cmd.Start())
	go func() { _ = cmd.Wait(); close(done) }()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	return out, done
}

// daemon runs a program until the test ends, and waits until it accepts connections at an address.
func daemon(tb testing.TB, address, dir, name string, args ...string) *lockedBuffer {
	tb.Helper()
	out, done := background(tb, dir, name, args...)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return out
		}
		select {
		case <-done:
			tb.Fatalf("%s exits: %s", name, out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	tb.Fatalf("%s does not listen at %s: %s", name, address, out)
	return nil
}

// nextPort is the port that freeAddress tries next.
var nextPort atomic.Int64

// freeAddress returns an unused address at 127.0.0.1, for a program that must be told its port. The
// port is below those that the kernel gives to others (from 32768): tests run in parallel, and one of
// them could be given the port before the program listens there.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	nextPort.CompareAndSwap(0, 10000+rand.Int64N(20000))
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 10000+nextPort.Add(1)%22000)
		if l, err := net.Listen("tcp", address); err == nil {
			must(tb, l.Close())
			return address
		}
	}
}

// execute runs a program and returns its output, both streams, and exit code.
// Its environment is PATH, LC_ALL and env.
func execute(
	tb testing.TB, dir string, env []string, stdin, name string, args ...string,
) (string, int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	cmd.WaitDelay = patience
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("%s: %v: %s", name, err, out.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
