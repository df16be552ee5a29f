//go:build e2e || torture

package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// TestNodesFailover: PostgreSQL dies, its synchronous standby takes its place, and nothing that was acknowledged is
// lost.
func TestNodesFailover(t *testing.T) {
	failOver(t, 1)
}

// failOver lets the standby take the leader's place so many times, under load.
func failOver(t *testing.T, times int) {
	ctx := context.Background()
	leader := newCluster(t)
	dir := t.TempDir()
	inPostgres(t, leader, dir)
	standby := follow(t, leader)
	nodes := []*server{start(t, dir, lenient...)}
	token := account(t, nodes[0], "ann@example.com")
	must(t, nodes[0].stop(t))
	var out []time.Duration
	total := 0
	for range times {
		address := both(t, dir, leader, standby)
		nodes = []*server{
			startProgram(t, []string{address}, binary, dir, lenient...),
			startProgram(t, []string{address}, binary, another(t, dir), lenient...),
		}
		load, w := &checkers{}, &writers{prefix: fmt.Sprint("round", total)}
		load.verify(t, nodes, token)
		w.start(t, nodes)
		w.await(t, 20)
		began := time.Now()
		must(t, leader.Stop(syscall.SIGQUIT))
		if _, err := standby.SQL(ctx, "postgres", "SELECT pg_promote()"); err != nil {
			t.Fatal(err)
		}
		w.await(t, 1)
		out = append(out, time.Since(began))
		w.await(t, 10)
		load.stop()
		w.stop()
		known, err := standby.SQL(ctx, nameOf(t, dir), "SELECT account FROM users")
		must(t, err)
		for _, name := range w.accounts {
			if !strings.Contains("\n"+known+"\n", "\n"+name+"\n") {
				t.Errorf("%s was acknowledged and is lost", name)
			}
		}
		total += len(w.accounts)
		for _, node := range nodes {
			must(t, node.stop(t))
		}
		must(t, leader.Close())
		leader, standby = standby, follow(t, standby)
	}
	all := quantilesOf(out)
	t.Logf("%d promotions, %d accounts acknowledged, none lost; without writes: %v", times, total, all)
	if all.max > 10*time.Second {
		t.Error("too long without writes")
	}
}

// follow makes a standby for which a cluster's commits wait.
func follow(t *testing.T, leader *postgrestest.Cluster) *postgrestest.Cluster {
	t.Helper()
	ctx := context.Background()
	standby, err := leader.Standby(ctx, "max_connections=100")
	must(t, err)
	t.Cleanup(func() { _ = standby.Close() })
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		_, err := leader.SQL(ctx, "postgres", statement)
		must(t, err)
	}
	await(t, "the standby to be synchronous", func() bool {
		state, err := leader.SQL(ctx, "postgres", "SELECT sync_state FROM pg_stat_replication")
		return err == nil && state == "sync"
	})
	return standby
}

// both is the environment that names a database on whichever of two servers takes writes.
func both(t *testing.T, dir string, a, b *postgrestest.Cluster) string {
	t.Helper()
	return "LATCHKEY_DATABASE=postgres:///" + nameOf(t, dir) + "?" + url.Values{"host": {a.Dir + "," + b.Dir},
		"user": {"postgres"}, "target_session_attrs": {"read-write"}}.Encode()
}
