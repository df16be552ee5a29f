package models

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is the engine of a PostgreSQL server.
type postgres struct {
	config *pgx.ConnConfig
}

// The time limits of PostgreSQL. A client waits at most two seconds for a response; a person, or a
// server that starts, waits longer.
const (
	requestTimeout = 1500 * time.Millisecond // for a transaction or a read: see ServeRequests
	patientTimeout = 10 * time.Second        // for the same, and for a server that is not up yet
	connectTimeout = time.Second
)

// PostgresOptions say how a PostgreSQL database is used.
type PostgresOptions struct {
	Connections int           // open at once, at least 1
	Application string        // name of the program in the server's statistics
	Timeout     time.Duration // for a connection, transaction or read; 0: 1 to 10 s
}

// OpenPostgres opens and checks a PostgreSQL database by its URL; it does not migrate. A server on
// another machine must present a certificate for its name unless the URL sets another sslmode.
// Errors: ErrAddress, ErrForeign, ErrWeak, ErrUnavailable.
func OpenPostgres(ctx context.Context, address string, o PostgresOptions) (*Store, error) {
	config, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = o.Application
	}
	config.ConnectTimeout = cmp.Or(o.Timeout, config.ConnectTimeout)
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(o.Connections)
	pool.SetMaxIdleConns(o.Connections) // each new connection costs the server a process
	pool.SetConnMaxLifetime(time.Hour)
	e := &postgres{config: config}
	s := &Store{engine: e, traits: postgresTraits(cmp.Or(o.Timeout, patientTimeout)), write: pool,
		read: pool}
	if err := e.check(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e, e.classify(err)), s.Close())
	}
	return s, nil
}

// ServeRequests makes transactions and reads on PostgreSQL fail after 1.5 seconds from now on,
// because clients wait. It must not be called while the store is in use. SQLite's limits stay.
func (s *Store) ServeRequests() {
	if s.traits.shared {
		s.traits.transactionTimeout, s.traits.readTimeout = requestTimeout, requestTimeout
	}
}

func postgresTraits(timeout time.Duration) traits {
	tables := []string{sequencesTable().name}
	for _, t := range movedTables() {
		tables = append(tables, t.name)
	}
	return traits{
		shared:  true,
		dialect: goose.DialectPostgres,
		countTables: `SELECT COUNT(*) FROM pg_tables
			WHERE schemaname = current_schema() AND tablename = $1`,
		notify:     "SELECT pg_notify('" + channel + "', '')",
		lockTables: "LOCK TABLE " + strings.Join(tables, ", ") + " IN EXCLUSIVE MODE",
		// A transaction's lock works through a connection pooler; a session's does not.
		lockMigrations:     fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", applicationID),
		transactionTimeout: timeout,
		readTimeout:        timeout,
		pollInterval:       500 * time.Millisecond,
	}
}

// check refuses another program's database, and a server that can lose acknowledged writes.
func (p *postgres) check(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, patientTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := checkServer(ctx, db)
		if err == nil || !p.retryable(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

func checkServer(ctx context.Context, db *sql.DB) error {
	var ours, all int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FILTER (WHERE tablename = $1), COUNT(*)
		FROM pg_tables WHERE schemaname = current_schema()`, goose.DefaultTablename).
		Scan(&ours, &all)
	if err != nil {
		return err
	}
	if ours == 0 && all > 0 {
		return fmt.Errorf("%w: it has another program's tables. Use an empty database", ErrForeign)
	}
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		err := db.QueryRowContext(ctx, "SELECT current_setting($1)", setting).Scan(&value)
		if err != nil {
			return err
		}
		if value == "off" {
			return fmt.Errorf("%w: %s is off. Turn it on", ErrWeak, setting)
		}
	}
	return nil
}

// String returns the URL of the database without user and password.
func (p *postgres) String() string {
	return "postgres://" + net.JoinHostPort(p.config.Host, strconv.Itoa(int(p.config.Port))) + "/" +
		p.config.Database
}

// rebind changes nothing: PostgreSQL's own form is $1, $2, ….
func (p *postgres) rebind(query string) string { return query }

// checkFile always succeeds: there is no file.
func (p *postgres) checkFile() error { return nil }

// copyRows inserts the rows by COPY.
func (p *postgres) copyRows(ctx context.Context, s *Store, into table, rows [][]any) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return p.classify(err)
	}
	err = conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{into.name}, into.columns,
			pgx.CopyFromRows(rows))
		return err
	})
	return p.classify(errors.Join(err, conn.Close()))
}

func (p *postgres) classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	var fault *pgconn.PgError
	var connect *pgconn.ConnectError
	if p.retryable(err) || errors.As(err, &connect) ||
		errors.As(err, &fault) && !strings.HasPrefix(fault.Code, "23") || // a constraint
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, explainPostgres(err), err)
	}
	return err
}

// retryable reports whether a connection was lost or refused, or the server rolled a transaction
// back for the sake of another.
func (p *postgres) retryable(err error) bool {
	var fault *pgconn.PgError
	if errors.As(err, &fault) {
		switch fault.Code[:2] {
		case "08", "40", "53", "57": // connection, rollback, resources, operator intervention
			return true
		}
		return fault.Code == "25006" // the server has become a standby
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &connect) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &network) && !network.Timeout()
}

// explainPostgres says in words what a fault means for the operator.
func explainPostgres(err error) string {
	var fault *pgconn.PgError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &fault):
		return explainCode(fault.Code)
	case errors.As(err, &certificate):
		return "the server's certificate is not accepted. Check sslrootcert and the host name"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server does not answer in time"
	}
	return "the server cannot be reached. Check that it runs and that the address is right"
}

// explainCode explains an SQLSTATE code of PostgreSQL.
func explainCode(code string) string {
	switch code[:2] {
	case "28":
		return "the server refuses the login. Check user and password"
	case "3D":
		return "there is no such database on the server. Create it"
	case "53":
		return "the server is out of connections, memory or disk space"
	case "57":
		return "the server is starting, stopping or was interrupted"
	case "40":
		return "other transactions were in the way"
	}
	switch code {
	case "25006":
		return "the server is read-only, such as a standby"
	case "42501":
		return "the role lacks a permission"
	}
	return "the server reports an error"
}
