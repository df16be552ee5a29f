package models

import "sync/atomic"

// countingEngine counts the statements that a store runs, and its looks at the database file.
type countingEngine struct {
	engine
	count atomic.Int64
}

func (e *countingEngine) rebind(query string) string {
	e.count.Add(1)
	return e.engine.rebind(query)
}

func (e *countingEngine) checkFile() error {
	e.count.Add(1)
	return e.engine.checkFile()
}

// CountStatements returns the counter of the statements that a store will run.
func CountStatements(s *Store) *atomic.Int64 {
	e := &countingEngine{engine: s.engine}
	s.engine = e
	return &e.count
}
