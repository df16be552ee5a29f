package models

import (
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

// How long PostgreSQL may take. A client waits no longer than two seconds for an answer.
const (
	postgresTimeout = 1500 * time.Millisecond
	connectTimeout  = time.Second
)

// PostgresOptions say how a PostgreSQL database is used.
type PostgresOptions struct {
	Connections int // open at once, at least 1
	Application string
}

// OpenPostgres opens a PostgreSQL database by its URL, and checks it; it does not migrate. A server
// on another machine must show a certificate of its own name unless the URL says otherwise by its
// sslmode. Errors: ErrAddress, ErrSchema, ErrWeak, ErrNewerDatabase, ErrUnavailable.
func OpenPostgres(ctx context.Context, address string, o PostgresOptions) (*Store, error) {
	config, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = o.Application
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(o.Connections)
	pool.SetMaxIdleConns(o.Connections) // a connection costs a process, a login none
	pool.SetConnMaxLifetime(time.Hour)
	e := &postgres{config: config}
	s := &Store{engine: e, write: pool, read: pool, prepared: map[string]*sql.Stmt{}}
	if err := e.check(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e, e.classify(err)), s.Close())
	}
	return s, nil
}

// String names the database, without who uses it.
func (p *postgres) String() string {
	return "postgres://" + net.JoinHostPort(p.config.Host, strconv.Itoa(int(p.config.Port))) + "/" +
		p.config.Database
}

// openTimeout is how long a start waits for a server that is not there yet.
const openTimeout = 10 * time.Second

// check refuses a database that is another program's, or that would lose what it acknowledged.
func (p *postgres) check(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for try := 0; ; try++ {
		err := p.checkOnce(ctx, db)
		if err == nil || !p.retryable(err) || !pause(ctx, try) {
			return err
		}
	}
}

func (p *postgres) checkOnce(ctx context.Context, db *sql.DB) error {
	var ours, others int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FILTER (WHERE tablename = $1), COUNT(*)
		FROM pg_tables WHERE schemaname = current_schema()`, goose.DefaultTablename).
		Scan(&ours, &others)
	if err != nil {
		return err
	}
	if ours == 0 && others > 0 {
		return ErrForeign
	}
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		err := db.QueryRowContext(ctx, "SELECT current_setting($1)", setting).Scan(&value)
		if err != nil {
			return err
		}
		if value == "off" {
			return fmt.Errorf("%w: %s is off", ErrWeak, setting)
		}
	}
	return nil
}

// lockMigration keeps other processes from migrating until unlock is called. The lock belongs to a
// transaction, so that a pooler in between does no harm.
func (p *postgres) lockMigration(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", applicationID); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx.Rollback, nil
}

// rebind leaves a text as it is.
func (p *postgres) rebind(query string) string { return query }

func (p *postgres) dialect() goose.Dialect { return goose.DialectPostgres }

func (p *postgres) hasTable() string {
	return "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
}

// checkFile: what a connection reaches is the database.
func (p *postgres) checkFile() error { return nil }

// committed: PostgreSQL has seen to it.
func (p *postgres) committed(int64) error { return nil }

// countsChanges is false: a restored copy has to be told of by whoever restores it.
func (p *postgres) countsChanges() bool { return false }

func (p *postgres) timeout() (transaction, lookup time.Duration) {
	return postgresTimeout, postgresTimeout
}

func (p *postgres) close() error { return nil }

func (p *postgres) notifyStatement() string { return "SELECT pg_notify('" + channel + "', '')" }

// classify wraps what the server or the way to it is to blame for in ErrUnavailable.
func (p *postgres) classify(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	var engine *pgconn.PgError
	var connect *pgconn.ConnectError
	if p.retryable(err) || errors.As(err, &connect) ||
		errors.As(err, &engine) && !strings.HasPrefix(engine.Code, "23") ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// retryable says that a connection was lost or refused, or that transactions were in each other's way.
func (p *postgres) retryable(err error) bool {
	var engine *pgconn.PgError
	if errors.As(err, &engine) {
		switch engine.Code[:2] {
		case "08", "40", "53", "57": // connection, rollback, resources, operator intervention
			return true
		}
		return engine.Code == "25006" // it became a standby
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
