package models

import (
	"context"
	"time"

	"github.com/pressly/goose/v3"
)

// engine is what SQLite and PostgreSQL do differently. The rest of Store, every SQL text included,
// is the same for both.
type engine interface {
	// String names the database in messages, without credentials.
	String() string
	// rebind writes the parameters $1, $2, … of a query in the form that the driver expects.
	rebind(query string) string
	// checkFile returns ErrUnavailable if the file that was opened is no longer the database: it
	// was removed, replaced or cut short. PostgreSQL has no such file.
	checkFile() error
	// retryable reports whether the operation that failed with err can succeed if it is repeated.
	retryable(err error) bool
	// classify explains a fault of the database and wraps it in ErrUnavailable. It returns any
	// other error unchanged.
	classify(err error) error
	// copyRows inserts rows into a table of the store, all of them or none.
	copyRows(ctx context.Context, s *Store, into table, rows [][]any) error
	// listen calls notified after each notification by another process and whenever one may have
	// been lost. It returns when ctx is done. SQLite has no notifications.
	listen(ctx context.Context, notified func())
}

// traits are an engine's constants. An empty statement means that the engine needs none.
type traits struct {
	// shared says that nodes on several machines can use the database. They register in the table
	// nodes, and notifications tell them of changes.
	shared  bool
	dialect goose.Dialect

	countTables    string // a query: how many tables have the name $1
	notify         string // notifies the other processes when the transaction commits
	lockTables     string // keeps other writers out until the transaction ends
	lockMigrations string // keeps other processes from migrating until the transaction ends

	transactionTimeout time.Duration // for a write transaction and the wait before it
	readTimeout        time.Duration // for a read; 0: no limit
	pollInterval       time.Duration // between two looks for changes without a notification
}
