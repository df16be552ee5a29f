//go:build bench

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// verifyRate is how many verifications a second a server answers.
func verifyRate(b *testing.B, s *server, header string, requests int) float64 {
	b.Helper()
	return rateOf(b, s.URL+"/v1/verify", header, "", requests)
}

// benchNodes are so many nodes with one account, and a token of it.
func benchNodes(b *testing.B, count int, settings ...string) (nodes []*server, header, database string) {
	b.Helper()
	c := newCluster(b, settings...)
	nodes = startNodes(b, c, count, "--account-tries", "100000", "--log-level", "warn")
	mustRun(b, nodes[0].Dir, "secret1\n", "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin")
	token := mustRun(b, nodes[0].Dir, "", "token", "issue", "a@b.cn", "--ttl", "24h")
	return nodes, strings.TrimPrefix(basic(token, ""), "Authorization: "), c.Dir
}

// BenchmarkNodeVerification compares a node on PostgreSQL with a server on SQLite, in turns.
func BenchmarkNodeVerification(b *testing.B) {
	alone, aloneHeader := benchServer(b, "--log-level", "warn")
	nodes, header, _ := benchNodes(b, 1)
	var ratios, here []float64
	for range 9 {
		sqlite, postgres := verifyRate(b, alone, aloneHeader, 8000), verifyRate(b, nodes[0], header, 8000)
		ratios, here = append(ratios, postgres/sqlite), append(here, postgres)
	}
	b.ReportMetric(median(ratios), "ratio-to-sqlite")
	b.ReportMetric(median(here), "requests/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTwoNodes compares two nodes with one by what a second of a processor gets done, for the clients are on the
// same machine.
func BenchmarkTwoNodes(b *testing.B) {
	nodes, header, _ := benchNodes(b, 2)
	each := func(nodes []*server) float64 {
		const requests = 16_000
		before := 0.0
		for _, node := range nodes {
			before -= processorSeconds(b, node)
		}
		var wait sync.WaitGroup
		for _, node := range nodes {
			wait.Go(func() { verifyRate(b, node, header, requests) })
		}
		wait.Wait()
		for _, node := range nodes {
			before += processorSeconds(b, node)
		}
		return float64(requests*len(nodes)) / before
	}
	var ratios []float64
	for range 9 {
		one, two := each(nodes[:1]), each(nodes)
		ratios = append(ratios, 2*two/one)
	}
	b.ReportMetric(median(ratios), "ratio-to-one-node")
	b.ReportMetric(0, "ns/op")
}

// processorSeconds is how long a server's process has computed.
func processorSeconds(b *testing.B, s *server) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	must(b, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	must(b, err1)
	must(b, err2)
	return (user + system) / 100 // USER_HZ
}

// BenchmarkNodeLogin compares logins a second with those of a server on SQLite, and counts the statements of one.
func BenchmarkNodeLogin(b *testing.B) {
	c := newCluster(b, "shared_preload_libraries=pg_stat_statements")
	node := startNodes(b, c, 1, "--account-tries", "100000", "--log-level", "warn")[0]
	alone := start(b, b.TempDir(), "--account-tries", "100000", "--log-level", "warn")
	for _, s := range []*server{node, alone} {
		mustRun(b, s.Dir, "secret1\n", "user", "add", "a@b.cn", "--nickname", "Ann", "--secret-stdin")
	}
	const logins = 60
	loginRate := func(s *server) float64 {
		began := time.Now()
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range logins / 4 {
					got, err := tryRequest("POST", s.URL+"/v1/token", `{"account":"a@b.cn","secret":"secret1","type":100}`,
						asJSON)
					if err != nil || got.Status != 201 {
						b.Errorf("%d %s %v", got.Status, got.Body, err)
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
