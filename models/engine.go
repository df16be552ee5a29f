package models

import (
	"time"

	"github.com/pressly/goose/v3"
)

// engine is what SQLite and PostgreSQL do differently. All SQL is one text for both.
type engine interface {
	// spell is a text in the engine's own spelling of parameters.
	rebind(query string) string
	// dialect is goose's name of the engine.
	dialect() goose.Dialect
	// hasTable is a query with one parameter for how many tables have a name.
	hasTable() string
	// present fails when the database is not the one that was opened, or not whole.
	checkFile() error
	// committed makes sure that a transaction stays, and of one with a number, that its loss would
	// be noticed.
	committed(change int64) error
	// numbers says whether changes that take something away are to be numbered.
	countsChanges() bool
	// classify wraps a fault of the engine in ErrUnavailable; answers pass through.
	classify(err error) error
	// announce is a statement by which processes that listen learn of a change, "" for none.
	notifyStatement() string
	// passes says whether what failed may work when it is tried again in a moment.
	retryable(err error) bool
	// timeout bounds one transaction, the waiting for it included, and patience how long one lookup
	// may take, 0 for as long as it takes.
	timeout() (transaction, lookup time.Duration)
	close() error
}
