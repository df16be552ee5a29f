package models

import "context"

// Node is a server process that uses a shared database.
type Node struct {
	ID     string // random, of this process
	Name   string // of its machine
	Lag    int64  // seconds that it accepts tokens without reading the database
	Ring   int64  // number of the newest change to the signing keys that it knows
	SeenAt int64  // Unix seconds, by its own clock
}

// Heartbeat registers a node or updates it. It also removes nodes not seen for a day.
func (s *Store) Heartbeat(ctx context.Context, n Node) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		if _, err := t.exec(`INSERT INTO nodes (id, name, lag, ring, seen_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE
			SET lag = excluded.lag, ring = excluded.ring, seen_at = excluded.seen_at`,
			n.ID, n.Name, n.Lag, n.Ring, now()); err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM nodes WHERE seen_at < $1", now()-24*3600)
		return err
	})
}

// RemoveNode removes a node that no longer accepts tokens.
func (s *Store) RemoveNode(ctx context.Context, id string) error {
	return s.inTransaction(ctx, func(t *transaction) error {
		_, err := t.exec("DELETE FROM nodes WHERE id = $1", id)
		return err
	})
}

// Nodes returns the nodes that may still accept tokens, sorted by name. A node is no longer one of
// them when it was last seen longer ago than its lag and one minute, by which clocks may differ.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) {
	const query = `SELECT id, name, lag, ring, seen_at FROM nodes
		WHERE seen_at + lag + 60 > $1 ORDER BY name, id`
	var nodes []Node
	err := s.all(ctx, query, []any{now()}, func(scan scanFunc) error {
		var n Node
		err := scan(&n.ID, &n.Name, &n.Lag, &n.Ring, &n.SeenAt)
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}
