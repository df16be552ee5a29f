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

// TestNodesFailover kills PostgreSQL under load and promotes its synchronous standby. Nothing that
// was acknowledged is lost, and writes succeed again within 10 seconds.
func TestNodesFailover(t *testing.T) {
	t.Parallel()
	failOver(t, 1)
}

// failOver promotes a standby several times under load.
func failOver(t *testing.T, times int) {
	ctx := context.Background()
	leader := newCluster(t)
	dir := t.TempDir()
	usePostgres(t, leader, dir)
	standby := newStandby(t, leader)
	nodes := []*server{start(t, dir, lenient...)}
	token := account(t, nodes[0], "ann@example.com")
	must(t, nodes[0].stop(t))
	var outages []time.Duration
	total := 0
	for range times {
		address := eitherHost(t, dir, leader, standby)
		nodes = []*server{
			startProgram(t, []string{address}, binary, dir, lenient...),
			startProgram(t, []string{address}, binary, nodeDir(t, dir), lenient...),
		}
		load, w := &verifiers{}, &writers{prefix: fmt.Sprint("round", total)}
		load.verify(t, nodes, token)
		w.start(t, nodes)
		w.await(t, 20)
		began := time.Now()
		must(t, leader.Stop(syscall.SIGQUIT))
		if _, err := standby.SQL(ctx, "postgres", "SELECT pg_promote()"); err != nil {
			t.Fatal(err)
		}
		w.await(t, 1)
		outages = append(outages, time.Since(began))
		w.await(t, 10)
		load.stop()
		w.stop()
		known, err := standby.SQL(ctx, databaseName(t, dir), "SELECT account FROM users")
		must(t, err)
		for _, name := range w.accounts {
			if !strings.Contains("\n"+known+"\n", "\n"+name+"\n") {
				t.Errorf("the acknowledged account %s is lost", name)
			}
		}
		total += len(w.accounts)
		for _, node := range nodes {
			must(t, node.stop(t))
		}
		must(t, leader.Close())
		leader, standby = standby, newStandby(t, standby)
	}
	all := quantilesOf(outages)
	t.Logf("%d promotions, %d accounts acknowledged, none lost; no writes for %v", times, total, all)
	requireWithin(t, "the longest outage", all.max, 10*time.Second)
}

// newStandby starts a synchronous standby: the leader's commits wait for it.
func newStandby(t *testing.T, leader *postgrestest.Cluster) *postgrestest.Cluster {
	t.Helper()
	ctx := context.Background()
	standby, err := leader.Standby(ctx, "max_connections=100")
	must(t, err)
	t.Cleanup(func() { _ = standby.Close() })
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'",
		"SELECT pg_reload_conf()"} {
		_, err := leader.SQL(ctx, "postgres", statement)
		must(t, err)
	}
	await(t, "the standby to be synchronous", func() bool {
		state, err := leader.SQL(ctx, "postgres", "SELECT sync_state FROM pg_stat_replication")
		return err == nil && state == "sync"
	})
	return standby
}

// eitherHost returns the environment that names the database on two servers; the node uses the one
// that accepts writes.
func eitherHost(t *testing.T, dir string, a, b *postgrestest.Cluster) string {
	t.Helper()
	return "LATCHKEY_DATABASE=postgres:///" + databaseName(t, dir) + "?" +
		url.Values{"host": {a.Dir + "," + b.Dir},
			"user": {"postgres"}, "target_session_attrs": {"read-write"}}.Encode()
}
