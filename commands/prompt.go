package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// readNewPassword reads a password that is to be set: on a terminal it asks twice.
func readNewPassword(ctx context.Context, std Console, stdin bool) (string, error) {
	return readPassword(ctx, std, stdin, "Password: ", "Again: ")
}

// readPassword reads one line of standard input, or asks on the terminal once for each prompt; the
// answers must be equal.
func readPassword(
	ctx context.Context, std Console, stdin bool, prompts ...string,
) (password string, err error) {
	if stdin {
		return readLine(std.In, "password")
	}
	terminal := terminalOf(std)
	if terminal == nil {
		return "", usageError("there is no terminal to ask for the password: pass --secret-stdin")
	}
	for i, prompt := range prompts {
		fmt.Fprint(std.Err, prompt)
		typed, err := interruptible(ctx, terminal, func() (string, error) {
			text, err := term.ReadPassword(int(terminal.Fd()))
			return string(text), err
		})
		fmt.Fprintln(std.Err)
		if err != nil {
			return "", err
		}
		if i > 0 && typed != password {
			return "", errors.New("the two passwords differ")
		}
		password = typed
	}
	return password, nil
}

// readLine reads one line of standard input, and nothing after it, so that the next call reads the
// next line; what names the line in the error.
func readLine(in io.Reader, what string) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := in.Read(one)
		if n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if errors.Is(err, io.EOF) && len(line) > 0 {
			break
		}
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("there is no %s on standard input: write it on one line", what)
		}
		if err != nil {
			return "", fmt.Errorf("standard input cannot be read: %w", err)
		}
	}
	return strings.TrimSuffix(string(line), "\r"), nil
}

// yesFlag lets a script run a destructive command without a terminal.
type yesFlag struct {
	Yes bool `help:"Do not ask for confirmation."`
}

// confirm asks before a change that cannot be undone. Without a terminal it demands --yes.
func (y yesFlag) confirm(ctx context.Context, std Console, question string) error {
	if y.Yes {
		return nil
	}
	if terminalOf(std) == nil {
		return usageError("this cannot be undone: confirm it on a terminal, or pass --yes")
	}
	answer, err := ask(ctx, std, question+" [y/N] ")
	if err != nil {
		return err
	}
	if answer = strings.ToLower(answer); answer != "y" && answer != "yes" {
		return errors.New("cancelled; nothing was changed")
	}
	return nil
}

// ask asks on the terminal, with echo.
func ask(ctx context.Context, std Console, question string) (string, error) {
	fmt.Fprint(std.Err, question)
	line, err := interruptible(ctx, std.In, func() (string, error) {
		line, err := bufio.NewReader(std.In).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	return strings.TrimSpace(line), err
}

// terminalOf returns the terminal that a command reads from, or nil.
func terminalOf(std Console) *os.File {
	file, ok := std.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}

// interruptible waits for an answer on the terminal, or for ctx to end; then it restores the
// terminal. The read itself cannot be stopped and ends with the process.
func interruptible(
	ctx context.Context, in io.Reader, question func() (string, error),
) (string, error) {
	type result struct {
		text string
		err  error
	}
	restore := func() error { return nil }
	if terminal, ok := in.(*os.File); ok {
		if state, err := term.GetState(int(terminal.Fd())); err == nil {
			restore = func() error { return term.Restore(int(terminal.Fd()), state) }
		}
	}
	results := make(chan result, 1)
	go func() {
		text, err := question()
		results <- result{text, err}
	}()
	select {
	case r := <-results:
		return r.text, r.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), restore())
	}
}
