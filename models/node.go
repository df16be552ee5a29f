package models

import "context"

// Node is a server that has the database.
type Node struct {
	ID     string // random, of this process
	Name   string // of its machine
	Lag    int64  // seconds: it accepts no token when it has not read the database for so long
	Ring   int64  // number of the newest change to the keys that it knows
	SeenAt int64  // Unix seconds, by its own clock
}

// Heartbeat notes what a node knows, and forgets those that have long been gone.
func (s *Store) Heartbeat(ctx context.Context, n Node) error {
	return s.inTransaction(ctx, func(t transaction) error {
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

// RemoveNode notes that a node accepts no tokens any longer.
func (s *Store) RemoveNode(ctx context.Context, id string) error {
	return s.inTransaction(ctx, func(t transaction) error {
		_, err := t.exec("DELETE FROM nodes WHERE id = $1", id)
		return err
	})
}

// Nodes are those that may still accept tokens, in the order of their names. The others have said
// nothing for longer than they go on without the database, and a minute, by which clocks may be
// apart.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) {
	const query = `SELECT id, name, lag, ring, seen_at FROM nodes
		WHERE seen_at + lag + 60 > $1 ORDER BY name, id`
	var nodes []Node
	err := s.all(ctx, query, []any{now()}, func(scan func(...any) error) error {
		var n Node
		err := scan(&n.ID, &n.Name, &n.Lag, &n.Ring, &n.SeenAt)
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}
