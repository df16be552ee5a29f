//go:build !client && !windows

package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// On SIGUSR2 a server starts the program that now stands at its own path, passes the socket on, and
// stops once the new process serves. If the new process never serves, the old one continues.

// successor is the environment variable that marks a process as a successor: its descriptor 3 is
// the socket, as for sd_listen_fds(3), and 4 is the pipe on which it reports that it serves.
const successor = "LATCHKEY_SUCCESSOR"

// handOverTimeout bounds how long a successor may take until it serves.
const handOverTimeout = 30 * time.Second

// handOverOnSignal hands the listener over on SIGUSR2, and then calls stop.
func handOverOnSignal(
	ctx context.Context, listener net.Listener, stop context.CancelFunc, logger *slog.Logger,
) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	defer signal.Stop(asked)
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		}
		pid, err := handOver(listener)
		if err == nil {
			logger.Info("handed over", "pid", pid)
			stop()
			return
		}
		logger.Error("the hand-over failed; this process continues to serve", "error", err)
	}
}

// handOver starts a successor with the listener and returns when it serves.
func handOver(listener net.Listener) (pid int, err error) {
	owner, ok := listener.(interface{ File() (*os.File, error) })
	if !ok {
		return 0, errors.New("this kind of socket cannot be handed over")
	}
	socket, err := owner.File()
	if err != nil {
		return 0, err
	}
	defer socket.Close() //nolint:errcheck // a copy
	ready, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer ready.Close() //nolint:errcheck // only read
	program, err := os.Executable()
	if err != nil {
		return 0, errors.Join(err, tell.Close())
	}
	//nolint:gosec,noctx // it is this program, and it outlives this process
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{socket, tell}
	cmd.Env = append(os.Environ(), successor+"=1", "LISTEN_FDS=1")
	err = cmd.Start()
	// File has made the socket blocking in this process, too.
	err = errors.Join(err, syscall.SetNonblock(int(socket.Fd()), true), tell.Close())
	if err != nil {
		return 0, err
	}
	if err := awaitReady(ready); err != nil {
		return 0, errors.Join(err, ignoreExit(cmd.Process.Kill()), ignoreExit(cmd.Wait()))
	}
	return cmd.Process.Pid, cmd.Process.Release()
}

// awaitReady waits until the successor reports that it serves.
func awaitReady(ready *os.File) error {
	if err := ready.SetReadDeadline(time.Now().Add(handOverTimeout)); err != nil {
		return err
	}
	_, err := io.ReadFull(ready, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return errors.New("the new process exited before it served")
	}
	if err != nil {
		return fmt.Errorf("the new process did not report that it serves: %w", err)
	}
	return nil
}

// ignoreExit drops the error that a process has exited.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.Is(err, os.ErrProcessDone) || errors.As(err, &exit) {
		return nil
	}
	return err
}

// adoptSocket prepares a successor to take its predecessor's socket. It returns the function that
// reports to the predecessor that this process serves; without a predecessor it does nothing.
func adoptSocket() (serves func() error, err error) {
	if os.Getenv(successor) == "" {
		return func() error { return nil }, nil
	}
	err = errors.Join(os.Unsetenv(successor), os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())))
	const descriptor = 4
	syscall.CloseOnExec(descriptor)
	tell := os.NewFile(descriptor, "predecessor")
	return func() error {
		_, err := io.Copy(tell, strings.NewReader("\n"))
		return errors.Join(err, tell.Close())
	}, err
}
