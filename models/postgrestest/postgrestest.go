// Package postgrestest runs PostgreSQL servers for tests.
package postgrestest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Variable is the environment variable that makes tests use PostgreSQL. Main sets it to the
// directory of the server.
const Variable = "LATCHKEY_TEST_POSTGRES"

// Asked reports whether tests use PostgreSQL.
func Asked() bool { return os.Getenv(Variable) != "" }

// Main starts the server of a package's tests if they use PostgreSQL. It returns a function for the
// end of TestMain, which stops the server and exits.
func Main() (exit func(code int)) {
	if !Asked() {
		return os.Exit
	}
	c, err := New(context.Background(), "max_connections=400")
	if err == nil {
		err = os.Setenv(Variable, c.Dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "postgrestest:", err)
		os.Exit(1)
	}
	return func(code int) {
		if code != 0 {
			fmt.Fprintf(os.Stderr, "PostgreSQL's log:\n%s", slowLines(c.output.String()))
		}
		if err := c.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "postgrestest:", err)
			code = max(code, 1)
		}
		os.Exit(code)
	}
}

// slowLines returns the lines of a server's log that say what was slow, and what waited for a lock.
func slowLines(log string) string {
	var slow strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, " LOG:  duration: ") || strings.Contains(line, " still waiting for ") {
			slow.WriteString(line)
		}
	}
	return slow.String()
}

// Running returns the server that Main has started.
func Running() *Cluster { return &Cluster{Dir: os.Getenv(Variable)} }

// Cluster is a PostgreSQL server in a directory of its own. It listens on a socket in the directory
// and on no network.
type Cluster struct {
	Dir    string // contains the data and the socket
	server *exec.Cmd
	output bytes.Buffer
	exited chan struct{}
}

// New creates a cluster and starts it with settings such as "max_connections=50".
func New(ctx context.Context, settings ...string) (*Cluster, error) {
	return build(ctx, settings, func(c *Cluster) error {
		return c.run(ctx, "initdb", "--no-sync", "--auth=trust", "--username=postgres",
			"--encoding=UTF8", "--locale=C", "--pgdata="+c.data())
	})
}

// Standby creates a cluster that replicates this one, and starts it.
func (c *Cluster) Standby(ctx context.Context, settings ...string) (*Cluster, error) {
	return build(ctx, settings, func(s *Cluster) error {
		err := s.run(ctx, "pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
			"--username=postgres", "--host="+c.Dir, "--pgdata="+s.data())
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"),
			os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		// After a promotion it must not wait for a standby, unless a test asks for it.
		_, err = f.WriteString("synchronous_standby_names = ''\n")
		return errors.Join(err, f.Close())
	})
}

// build creates a cluster's directory, lets initialize create the data, and starts the server.
func build(
	ctx context.Context, settings []string, initialize func(*Cluster) error,
) (*Cluster, error) {
	memory := "/dev/shm" // the data need only survive a process, not the machine
	if _, err := os.Stat(memory); err != nil {
		memory = ""
	}
	dir, err := os.MkdirTemp(memory, "postgres-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir}
	if err = c.chown(); err == nil {
		err = initialize(c)
	}
	if err == nil {
		err = c.Start(ctx, settings...)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// run runs a program of PostgreSQL.
func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	if out, err := c.Command(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

// chown gives the directory to the user that the server runs as.
func (c *Cluster) chown() error {
	owner, err := account()
	if err != nil || owner == nil {
		return err
	}
	return os.Chown(c.Dir, int(owner.Uid), int(owner.Gid))
}

// account returns the user that the server runs as, because it refuses to run as root. Nil means
// the user of this process.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // this process's
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// Command returns a program of PostgreSQL, which will run as the server's user.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is valid
	if len(found) > 0 {
		name = slices.Max(found)
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the test's own arguments
	cmd.Dir = c.Dir
	owner, _ := account() // New has returned the error
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	return cmd
}

// Start starts the server and waits until it accepts connections.
func (c *Cluster) Start(ctx context.Context, settings ...string) error {
	args, port := []string{"-D", c.data(), "-k", c.Dir, "-h", "",
		"-c", "log_lock_waits=on", "-c", "log_min_duration_statement=3s"}, "5432"
	for _, setting := range settings {
		args = append(args, "-c", setting)
		if other, ok := strings.CutPrefix(setting, "port="); ok {
			port = other
		}
	}
	c.server = c.Command(context.WithoutCancel(ctx), "postgres", args...)
	c.server.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	c.output.Reset()
	c.server.Stdout, c.server.Stderr = &c.output, &c.output
	if err := c.server.Start(); err != nil {
		return err
	}
	exited, server := make(chan struct{}), c.server
	c.exited = exited
	go func() {
		defer close(exited)
		_ = server.Wait() // its output says why
	}()
	for {
		if c.Command(ctx, "pg_isready", "-q", "-h", c.Dir, "-p", port).Run() == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("postgres has exited: %s", c.output.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop stops the server by a signal. SIGQUIT is its immediate shutdown, which equals a crash.
func (c *Cluster) Stop(signal syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	if err := c.server.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.exited
	c.server = nil
	return nil
}

// Close stops the server and removes its directory.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(syscall.SIGQUIT), os.RemoveAll(c.Dir))
}

// SQL runs statements in a database and returns their output.
func (c *Cluster) SQL(ctx context.Context, database, statements string) (string, error) {
	out, err := c.psql(ctx, database, "-c", statements).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (c *Cluster) psql(ctx context.Context, database string, args ...string) *exec.Cmd {
	return c.Command(ctx, "psql", append([]string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", c.Dir, "-U", "postgres", "-d", database}, args...)...)
}

// Hold begins a transaction with one statement. It keeps its locks until release is called.
func (c *Cluster) Hold(
	ctx context.Context, database, statement string,
) (release func() error, err error) {
	psql := c.psql(ctx, database)
	in, err1 := psql.StdinPipe()
	out, err2 := psql.StdoutPipe()
	if err := errors.Join(err1, err2, psql.Start()); err != nil {
		return nil, err
	}
	release = func() error { return errors.Join(in.Close(), psql.Wait()) }
	const held = "it is held"
	_, err = fmt.Fprintf(in, "BEGIN;\n%s;\n\\echo %s\n", statement, held)
	for lines := bufio.NewScanner(out); err == nil && lines.Text() != held; {
		if !lines.Scan() {
			err = fmt.Errorf("psql exited: %w", io.ErrUnexpectedEOF)
		}
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// Database creates a database as a copy of template and returns its URL. A copy of template1 is
// empty.
func (c *Cluster) Database(ctx context.Context, template string) (address string, err error) {
	unique, err := os.CreateTemp(c.Dir, "database_")
	if err != nil {
		return "", err
	}
	name := filepath.Base(unique.Name())
	if err := unique.Close(); err != nil {
		return "", err
	}
	_, err = c.SQL(ctx, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template)
	return c.URL(name), err
}

// InPlaceOf returns the URL of the database that takes the place of a data directory's. The first
// call for a directory creates it.
func (c *Cluster) InPlaceOf(ctx context.Context, dir string) (address string, err error) {
	path := filepath.Join(dir, "postgres")
	known, err := os.ReadFile(path) //nolint:gosec // the test's own path
	if err == nil {
		return string(known), nil
	}
	if address, err = c.Database(ctx, "template1"); err != nil {
		return "", err
	}
	return address, os.WriteFile(path, []byte(address), 0o600)
}

// NameIn returns the name of the database in a URL that URL has returned.
func NameIn(address string) string {
	return strings.TrimPrefix(strings.Split(address, "?")[0], "postgres:///")
}

// URL returns the URL of a database.
func (c *Cluster) URL(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {c.Dir}, "user": {"postgres"}}.Encode()
}
