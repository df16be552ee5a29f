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

// A server that gets SIGUSR2 starts the program that is now in its own program's place, gives it
// its socket, and stops in good order once that one serves. If it never does, the old one goes on.

// successor is the variable that tells a process that it takes over from another: the socket is
// its descriptor 3, as for sd_listen_fds(3), and the pipe to say that it serves is 4.
const successor = "LATCHKEY_SUCCESSOR"

// handOverTimeout bounds how long a successor may take to serve.
const handOverTimeout = 30 * time.Second

// handOverOnSignal hands a listener over when it is asked to, and then calls stop.
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
		logger.Error("the upgrade failed, this process goes on", "error", err)
	}
}

// handOver starts a successor with a listener and returns when it serves.
func handOver(listener net.Listener) (pid int, err error) {
	owner, ok := listener.(interface{ File() (*os.File, error) })
	if !ok {
		return 0, errors.New("this socket cannot be handed over")
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
	//nolint:gosec,noctx // this very program, and it outlives us
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{socket, tell}
	cmd.Env = append(os.Environ(), successor+"=1", "LISTEN_FDS=1")
	err = cmd.Start()
	// Passing the socket on has made it blocking for us, too.
	err = errors.Join(err, syscall.SetNonblock(int(socket.Fd()), true), tell.Close())
	if err != nil {
		return 0, err
	}
	if err := awaitReady(ready); err != nil {
		return 0, errors.Join(err, ignoreExit(cmd.Process.Kill()), ignoreExit(cmd.Wait()))
	}
	return cmd.Process.Pid, cmd.Process.Release()
}

// awaitReady waits until a successor says that it serves.
func awaitReady(ready *os.File) error {
	if err := ready.SetReadDeadline(time.Now().Add(handOverTimeout)); err != nil {
		return err
	}
	_, err := io.ReadFull(ready, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return errors.New("the new process ended before it served")
	}
	if err != nil {
		return fmt.Errorf("the new process does not serve: %w", err)
	}
	return nil
}

// ignoreExit drops the news that a process has ended, and how.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.Is(err, os.ErrProcessDone) || errors.As(err, &exit) {
		return nil
	}
	return err
}

// adoptSocket finds out whether this process takes over from another, and returns what tells that one
// that it serves.
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
