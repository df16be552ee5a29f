//go:build bench

package e2e_test

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pinnedRate returns how many verifications a second a server does for clients (ab) on one core.
func pinnedRate(b *testing.B, s *server, core int, header string, requests int) float64 {
	b.Helper()
	out, err := exec.Command("taskset", "-c", strconv.Itoa(core), "ab", "-q", "-k", "-c", "8", "-n",
		strconv.Itoa(requests), "-H", "Authorization: "+header, s.URL+"/v1/verify").CombinedOutput()
	_, rest, said := strings.Cut(string(out), "Requests per second:")
	if err != nil || !said || strings.Contains(string(out), "Non-2xx") {
		b.Errorf("%v: %s", err, out)
		return 1
	}
	rate, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Error(err)
	}
	return rate
}

// pin keeps a server on one core.
func pin(b *testing.B, s *server, core int) {
	b.Helper()
	if out, err := exec.Command("taskset", "-acp", strconv.Itoa(core),
		strconv.Itoa(s.cmd.Process.Pid)).
		CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// benchNodes starts nodes with one account, and returns the Authorization header of a token.
func benchNodes(
	b *testing.B, count int, settings ...string,
) (nodes []*server, header, database string) {
	b.Helper()
	c := newCluster(b, settings...)
	nodes = startNodes(b, c, count, "--account-tries", "100000", "--log-level", "warn")
	addUser(b, nodes[0].Dir, "a@b.cn")
	token := mustRun(b, nodes[0].Dir, "", "token", "issue", "a@b.cn", "--ttl", "24h")
	return nodes, strings.TrimPrefix(basic(token, ""), "Authorization: "), c.Dir
}

// BenchmarkNodeVerification compares a node on PostgreSQL with a server on SQLite, in turns. Server
// and clients have one core each.
func BenchmarkNodeVerification(b *testing.B) {
	alone, aloneHeader := benchServer(b, "--log-level", "warn")
	nodes, header, _ := benchNodes(b, 1)
	pin(b, alone, 0)
	pin(b, nodes[0], 0)
	const requests = 10_000
	var ratios, here []float64
	for range 15 {
		before := pinnedRate(b, alone, 1, aloneHeader, requests)
		postgres := pinnedRate(b, nodes[0], 1, header, requests)
		after := pinnedRate(b, alone, 1, aloneHeader, requests)
		ratios, here = append(ratios, 2*postgres/(before+after)), append(here, postgres)
	}
	b.ReportMetric(median(ratios), "ratio-to-sqlite")
	b.ReportMetric(median(here), "requests/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTwoNodes compares two nodes with one. Each shares a core with its clients.
func BenchmarkTwoNodes(b *testing.B) {
	nodes, header, _ := benchNodes(b, 2)
	for core, node := range nodes {
		pin(b, node, core)
	}
	together := func(nodes []*server) (rate float64) {
		rates := make([]float64, len(nodes))
		var wait sync.WaitGroup
		for core, node := range nodes {
			wait.Go(func() { rates[core] = pinnedRate(b, node, core, header, 10_000) })
		}
		wait.Wait()
		for _, r := range rates {
			rate += r
		}
		return rate
	}
	var ratios []float64
	for range 9 {
		one, two := together(nodes[:1]), together(nodes)
		ratios = append(ratios, two/one)
	}
	b.ReportMetric(median(ratios), "ratio-to-one-node")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNodeLogin compares logins a second of a node with those of a server on SQLite, and
// counts the SQL statements of a login.
func BenchmarkNodeLogin(b *testing.B) {
	c := newCluster(b, "shared_preload_libraries=pg_stat_statements")
	node := startNodes(b, c, 1, "--account-tries", "100000", "--log-level", "warn")[0]
	alone := start(b, b.TempDir(), "--account-tries", "100000", "--log-level", "warn")
	for _, s := range []*server{node, alone} {
		addUser(b, s.Dir, "a@b.cn")
	}
	const logins = 60
	loginRate := func(s *server) float64 {
		began := time.Now()
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range logins / 4 {
					got, err := tryOnce("POST", s.URL+"/v1/token", loginJSON("a@b.cn", "secret1"),
						asJSON)
					if err != nil || got.Status != 201 {
						b.Errorf("login: status %d, %v, want 201: %s", got.Status, err, got.Body)
					}
				}
			})
		}
		wait.Wait()
		return logins / time.Since(began).Seconds()
	}
	var ratios, here []float64
	for range 5 {
		sqlite, postgres := loginRate(alone), loginRate(node)
		ratios, here = append(ratios, postgres/sqlite), append(here, postgres)
	}
	sql := func(statement string) string {
		out, err := c.SQL(context.Background(), "postgres", statement)
		must(b, err)
		return out
	}
	sql("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
	loginRate(node)
	calls := sql(`SELECT SUM(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%'
		AND query NOT LIKE '%endings checksum%' AND query NOT LIKE '%ping%' AND query NOT LIKE '-- %'`)
	statements, err := strconv.ParseFloat(calls, 64)
	must(b, err)
	b.ReportMetric(median(ratios), "ratio-to-sqlite")
	b.ReportMetric(median(here), "logins/s")
	b.ReportMetric(statements/logins, "statements/login")
	b.ReportMetric(0, "ns/op")
}
