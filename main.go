// Latchkey is a token server for HTTP Basic: log in once with an account and a password, and get a
// short, signed, timed token that every HTTP client can send.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"latchkey/commands"
)

// dockerHelper is the name under which Docker looks for its credential helper.
const dockerHelper = "docker-credential-latchkey"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	args := os.Args[1:]
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == dockerHelper { // .exe on Windows
		args = append([]string{"docker-credential"}, args...)
	}
	code := commands.Run(ctx, args, commands.Console{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
