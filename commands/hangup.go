//go:build !client && !windows

package commands

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// surviveHangUp keeps SIGHUP from killing the process before its requests are finished. It logs
// that nothing is reloaded. stop restores what the signal did before.
func surviveHangUp(logger *slog.Logger) (stop func()) {
	hangUps, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangUps, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangUps {
			logger.Warn("SIGHUP reloads nothing and reopens no log: restart the server to apply changes, " +
				"or send SIGUSR2, which loses no request")
		}
	}()
	return func() {
		signal.Stop(hangUps)
		close(hangUps)
		<-done
	}
}
