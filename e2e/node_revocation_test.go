//go:build e2e || torture

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"latchkey/models/postgrestest"
)

// TestNodesRefuse: what one node has ended, another refuses within a moment, also when the connections on which the
// nodes listen are cut again and again.
func TestNodesRefuse(t *testing.T) {
	nodesRefuse(t, 150, time.Second)
}

// nodesRefuse ends so many tokens on one node, and a tenth as many by disabling users and by changing their roles,
// while the listening connections are cut now and then and some last uses cannot be stored.
func nodesRefuse(t *testing.T, count int, cut time.Duration) {
	c := newCluster(t)
	nodes := startNodes(t, c, 3, lenient...)
	mustRun(t, nodes[0].Dir, "secret1\n", "user", "add", "root@example.com", "--nickname", "Root", "--admin",
		"--secret-stdin")
	admin := login(t, nodes[0], "root@example.com")
	stopCutting := cutListeners(t, c, cut)
	defer stopCutting()
	load := &checkers{}
	load.verify(t, nodes, admin)
	release, err := c.Hold(context.Background(), nameOf(t, nodes[0].Dir), "SELECT 1 FROM tokens FOR UPDATE")
	must(t, err)
	t.Cleanup(func() { must(t, release()) })
	e := &ender{t: t, nodes: nodes, pace: cut / 200}
	owner := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key", func() bool { return statusOf(t, nodes[2], owner) == 200 })
	for n := range count {
		body := fmt.Sprintf(`{"label":"service %d","lifetime":86400}`, n)
		token := tokenIn(t, request(t, "POST", nodes[0].URL+"/v1/tokens", body, asJSON, bearer(owner)))
		e.end(token, "DELETE", "/v1/token", "", bearer(token))
	}
	for n := range count / 10 {
		for what, change := range map[string]string{"disabled": `{"state":"disabled"}`, "role": `{"role":"admin"}`} {
			name := fmt.Sprintf("%s%d@example.com", what, n)
			token := account(t, nodes[0], name)
			e.end(token, "PUT", fmt.Sprintf("/v1/user/%d", e.uid(token)), change, asJSON, bearer(admin))
		}
	}
	stopCutting()
	verified := load.stop()
	others := quantilesOf(e.took)
	t.Logf("%d endings on one of three nodes, %d verifications meanwhile; the others refuse: %v", e.count, verified,
		others)
	if others.p99 > 500*time.Millisecond || others.max > 1500*time.Millisecond {
		t.Error("too late")
	}
}

// cutListeners ends the connections on which nodes listen, now and then.
func cutListeners(t *testing.T, c *postgrestest.Cluster, every time.Duration) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if _, err := c.SQL(context.Background(), "postgres", `SELECT pg_terminate_backend(pid)
					FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`); err != nil {
					t.Error(err)
				}
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wait.Wait()
	})
}

// ender ends tokens on the first node and looks how long the others take.
type ender struct {
	t     *testing.T
	nodes []*server
	pace  time.Duration // from one to the next
	count int
	took  []time.Duration
}

// uid is whose a token is.
func (e *ender) uid(token string) uint32 {
	var me struct{ ID uint32 }
	got := request(e.t, "GET", e.nodes[0].URL+"/v1/user", "", bearer(token))
	if err := json.Unmarshal([]byte(got.Body), &me); err != nil || me.ID == 0 {
		e.t.Fatalf("%d %s", got.Status, got.Body)
	}
	return me.ID
}

func (e *ender) end(token, method, path, body string, headers ...string) {
	e.t.Helper()
	got := request(e.t, method, e.nodes[0].URL+path, body, headers...)
	if got.Status/100 != 2 {
		e.t.Fatalf("%s %s: %d %s", method, path, got.Status, got.Body)
	}
	ended := time.Now()
	e.count++
	for range 10 {
		if verifies(e.t, e.nodes[0], token) {
			e.t.Fatal("the node that ended the token accepts it")
		}
	}
	for _, node := range e.nodes[1:] {
		for verifies(e.t, node, token) {
			if time.Since(ended) > 10*time.Second {
				e.t.Fatal("another node goes on accepting the token")
			}
		}
		e.took = append(e.took, time.Since(ended))
	}
	time.Sleep(e.pace) // the load, not a synchronisation
}

// verifies says whether a node accepts a token; what it answers besides is an error.
func verifies(t testing.TB, node *server, token string) bool {
	t.Helper()
	got := request(t, "GET", node.URL+"/v1/verify", "", bearer(token))
	if got.Status != 200 && got.Status != 401 {
		t.Errorf("verification: %d %s", got.Status, got.Body)
	}
	return got.Status == 200
}

// checkers verify a good token on every node, some hundred times a second.
type checkers struct {
	wait     sync.WaitGroup
	over     atomic.Bool
	verified atomic.Int64
}

func (b *checkers) verify(t *testing.T, nodes []*server, token string) {
	t.Cleanup(func() { b.stop() })
	for _, node := range nodes {
		b.wait.Go(func() {
			for !b.over.Load() {
				got, err := tryRequest("GET", node.URL+"/v1/verify", "", bearer(token))
				if err != nil || got.Status != 200 {
					t.Errorf("verification of a good token: %d %s %v", got.Status, got.Body, err)
					return
				}
				b.verified.Add(1)
				time.Sleep(2 * time.Millisecond) // the load, not a synchronisation
			}
		})
	}
}

func (b *checkers) stop() int64 {
	b.over.Store(true)
	b.wait.Wait()
	return b.verified.Load()
}

// TestNodesContract: with PostgreSQL, too, everything is answered as existing clients rely on.
func TestNodesContract(t *testing.T) {
	replayContract(t, startNodes(t, newCluster(t), 1)[0])
}

// TestNodesMove: what is moved from SQLite to PostgreSQL goes on there, tokens and ended tokens alike, and comes back.
func TestNodesMove(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, cheapHashes...)
	token, ended := account(t, s, "ann@example.com"), login(t, s, "ann@example.com")
	request(t, "DELETE", s.URL+"/v1/token", "", bearer(ended))
	address, err := newCluster(t).Database(context.Background(), "template1")
	must(t, err)
	mustRun(t, dir, "", "--database", address, "migrate")
	if out := mustRun(t, dir, "", "move", "--from", dir, "--to", address, "--dry-run"); !strings.Contains(out, "tokens") {
		t.Error(out)
	}
	mustRun(t, dir, "", "move", "--from", dir, "--to", address)
	if got := request(t, "POST", s.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
		asJSON); got.Status != 503 {
		t.Errorf("a login where nothing is any more: %d %s", got.Status, got.Body)
	}
	must(t, s.stop(t))
	if _, said, code := latchkey(t, dir, "", "user", "list"); code != 1 || !strings.Contains(said, "was moved") {
		t.Errorf("exit %d, %s", code, said)
	}
	requireMoved := func(s *server) {
		t.Helper()
		if !verifies(t, s, token) || verifies(t, s, ended) {
			t.Error("the tokens are not as they were")
		}
		login(t, s, "ann@example.com")
	}
	node := startProgram(t, []string{"LATCHKEY_DATABASE=" + address}, binary, dir, cheapHashes...)
	requireMoved(node)
	back := filepath.Join(t.TempDir(), "data")
	if _, said, code := latchkey(t, dir, "", "move", "--from", address, "--to", back); code != 1 ||
		!strings.Contains(said, "stop them first") {
		t.Errorf("with a node: exit %d, %s", code, said)
	}
	must(t, node.stop(t))
	mustRun(t, dir, "", "move", "--from", address, "--to", back, "--dry-run")
	mustRun(t, dir, "", "move", "--from", address, "--to", back)
	secret, err := os.ReadFile(filepath.Join(dir, "secret"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(back, "secret"), secret, 0o600))
	requireMoved(start(t, back, cheapHashes...))
}

// TestNodesRegister: of twenty registrations of one account at once on three nodes one succeeds.
func TestNodesRegister(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	for round := range 5 {
		body := fmt.Sprintf(`{"account":"Ann%d@example.com","secret":"secret1","type":100,"nickname":"Ann"}`, round)
		var made, refused atomic.Int64
		var wait sync.WaitGroup
		for n := range 20 {
			wait.Go(func() {
				got, err := tryRequest("POST", nodes[n%3].URL+"/v1/client/register", body, asJSON)
				switch {
				case err == nil && got.Status == 201:
					made.Add(1)
				case err == nil && got.Status == 400 && strings.Contains(got.Body, "already registered"):
					refused.Add(1)
				default:
					t.Errorf("%d %s %v", got.Status, got.Body, err)
				}
			})
		}
		wait.Wait()
		if made.Load() != 1 || refused.Load() != 19 {
			t.Errorf("%d made, %d refused", made.Load(), refused.Load())
		}
	}
}

// TestNodesStartAtOnce: ten commands set a database up at once, and ten nodes start on it with one secret.
func TestNodesStartAtOnce(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	address, err := c.InPlaceOf(context.Background(), dir)
	must(t, err)
	if _, said, code := latchkey(t, dir, "", "user", "list"); code != 1 ||
		!strings.Contains(said, "run latchkey migrate") {
		t.Errorf("before: exit %d, %s", code, said)
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { mustRun(t, dir, "", "--database", address, "migrate") })
	}
	wait.Wait()
	mustRun(t, dir, "", "key", "list") // makes nothing: there is no secret
	for range 10 {
		wait.Go(func() {
			account(t, start(t, dir, cheapHashes...), fmt.Sprintf("%d@example.com", time.Now().UnixNano()))
		})
	}
	wait.Wait()
	if keys := mustRun(t, dir, "", "key", "list", "--json"); strings.Count(keys, "\n") != 0 {
		t.Errorf("several keys: %s", keys)
	}
}

// TestNodesWithoutTheirSecret: a node that lacks the others' secret says so, and changes nothing.
func TestNodesWithoutTheirSecret(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 1)
	strange := another(t, nodes[0].Dir)
	must(t, os.Remove(filepath.Join(strange, "secret")))
	if _, said, code := latchkey(t, strange, "", "key", "list"); code != 1 || !strings.Contains(said, "copy it") {
		t.Errorf("no secret: exit %d, %s", code, said)
	}
	must(t, os.WriteFile(filepath.Join(strange, "secret"), []byte(strings.Repeat("abcd", 10)+"abc=\n"), 0o600))
	if _, said, code := latchkey(t, strange, "", "key", "list"); code != 1 ||
		!strings.Contains(said, "copy that of the other nodes") {
		t.Errorf("another secret: exit %d, %s", code, said)
	}
	account(t, nodes[0], "ann@example.com")
}

// TestNodesRotate: a new key signs as soon as three nodes have it, and no good token is refused meanwhile.
func TestNodesRotate(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other nodes to know the key", func() bool {
		return verifies(t, nodes[1], token) && verifies(t, nodes[2], token)
	})
	load := &checkers{}
	load.verify(t, nodes, token)
	for key := 2; key <= 4; key++ {
		began := time.Now()
		mustRun(t, nodes[key%3].Dir, "", "key", "rotate")
		await(t, "the new key to sign", func() bool {
			newest, _, _ := strings.Cut(mustRun(t, nodes[0].Dir, "", "key", "list", "--json"), "\n")
			return strings.Contains(newest, fmt.Sprintf(`"id":%d`, key)) && strings.Contains(newest, `"state":"signs"`)
		})
		t.Logf("key %d signs after %v", key, time.Since(began).Round(time.Millisecond))
		for _, node := range nodes {
			made := login(t, node, "ann@example.com")
			for _, other := range nodes {
				if !verifies(t, other, made) {
					t.Errorf("a token of key %d is refused", key)
				}
			}
		}
	}
	t.Logf("%d verifications, none refused", load.stop())
}

// TestNodesGuess: wrong tries count on every node.
func TestNodesGuess(t *testing.T) {
	nodes := startNodes(t, newCluster(t), 3, append(cheapHashes, "--trusted-proxy", "127.0.0.1/32")...)
	account(t, nodes[0], "ann@example.com")
	try := func(n int) reply {
		return request(t, "POST", nodes[n%3].URL+"/v1/token", `{"account":"ann@example.com","secret":"wrong-1","type":100}`,
			asJSON, "X-Forwarded-For: 192.0.2.1")
	}
	for n := range 10 {
		if got := try(n); got.Status != 401 {
			t.Fatalf("try %d: %d %s", n, got.Status, got.Body)
		}
	}
	for n := range 3 {
		if got := try(n); got.Status != 429 {
			t.Errorf("one more on node %d: %d %s", n, got.Status, got.Body)
		}
	}
	if got := request(t, "POST", nodes[1].URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`,
		asJSON, "X-Forwarded-For: 192.0.2.2"); got.Status != 201 {
		t.Errorf("the owner from elsewhere: %d %s", got.Status, got.Body)
	}
}

// TestNodesCutOff: without its database a node goes on verifying for as long as it may, and says 503 to everything
// that needs it; when the database is back, it works again by itself.
func TestNodesCutOff(t *testing.T) {
	c := newCluster(t)
	node := startNodes(t, c, 1, append(cheapHashes, "--revocation-lag", "3s")...)[0]
	token := account(t, node, "ann@example.com")
	if !verifies(t, node, token) { // from here on it knows whose the token is
		t.Fatal("refused")
	}
	must(t, c.Stop(syscall.SIGQUIT))
	began := time.Now()
	for time.Since(began) < 2*time.Second {
		if !verifies(t, node, token) {
			t.Error("refused")
		}
	}
	asked := time.Now()
	got := request(t, "POST", node.URL+"/v1/token", `{"account":"ann@example.com","secret":"secret1","type":100}`, asJSON)
	if took := time.Since(asked); got.Status != 503 || took > 2500*time.Millisecond {
		t.Errorf("a login: %d %s after %v", got.Status, got.Body, took)
	}
	await(t, "verification to stop", func() bool {
		return request(t, "GET", node.URL+"/v1/verify", "", bearer(token)).Status == 503
	})
	if took := time.Since(began); took < 2*time.Second || took > 6*time.Second {
		t.Errorf("verification stopped after %v", took)
	}
	if got := request(t, "GET", node.URL+"/readyz", ""); got.Status != 503 {
		t.Errorf("/readyz: %d", got.Status)
	}
	must(t, c.Start(context.Background()))
	await(t, "the node to be ready", func() bool { return request(t, "GET", node.URL+"/readyz", "").Status == 200 })
	if !verifies(t, node, token) {
		t.Error("refused afterwards")
	}
	login(t, node, "ann@example.com")
}

// TestNodesPostgresRestarts: PostgreSQL is stopped as by a crash and started again under load; nothing that was
// acknowledged is lost, and verification never fails.
func TestNodesPostgresRestarts(t *testing.T) {
	postgresRestarts(t, 5)
}

func postgresRestarts(t *testing.T, times int) {
	c := newCluster(t)
	nodes := startNodes(t, c, 2, lenient...)
	token := account(t, nodes[0], "ann@example.com")
	await(t, "the other node to know the key", func() bool { return verifies(t, nodes[1], token) })
	load, writers := &checkers{}, &writers{}
	load.verify(t, nodes, token)
	writers.start(t, nodes)
	var back []time.Duration
	for range times {
		writers.await(t, 5)
		must(t, c.Stop(syscall.SIGQUIT))
		must(t, c.Start(context.Background()))
		began := time.Now()
		writers.await(t, 1)
		back = append(back, time.Since(began))
	}
	writers.finish(t, nodes)
	if t.Failed() {
		t.Logf("%s\n%s", nodes[0].out, nodes[1].out)
	}
	t.Logf("%d restarts, %d accounts acknowledged, %d requests refused by 503, the longest answer took %v, "+
		"%d verifications; the first write afterwards: %v", times, len(writers.accounts), writers.refused.Load(),
		time.Duration(writers.longest.Load()).Round(time.Millisecond), load.stop(), quantilesOf(back))
}

// writers register accounts on all nodes, and know what was acknowledged.
type writers struct {
	prefix   string // of the accounts
	wait     sync.WaitGroup
	over     atomic.Bool
	refused  atomic.Int64
	longest  atomic.Int64 // time.Duration of an answer
	mu       sync.Mutex
	accounts []string
}

func (w *writers) start(t *testing.T, nodes []*server) {
	for n := range 8 {
		w.wait.Go(func() {
			for i := 0; !w.over.Load(); i++ {
				name := fmt.Sprintf("%sw%d-%d@example.com", w.prefix, n, i)
				began := time.Now()
				got, err := tryRequest("POST", nodes[n%len(nodes)].URL+"/v1/client/register",
					fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, name), asJSON)
				if took := int64(time.Since(began)); took > w.longest.Load() {
					w.longest.Store(took)
				}
				switch {
				case err == nil && got.Status == 201:
					w.mu.Lock()
					w.accounts = append(w.accounts, name)
					w.mu.Unlock()
				case err == nil && got.Status == 503:
					w.refused.Add(1)
				default:
					t.Errorf("%d %s %v", got.Status, got.Body, err)
					return
				}
			}
		})
	}
}

// await waits for so many acknowledgements more.
func (w *writers) await(t *testing.T, more int) {
	t.Helper()
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.accounts)
	}
	before := count()
	await(t, "writes", func() bool { return count() >= before+more })
}

func (w *writers) stop() {
	w.over.Store(true)
	w.wait.Wait()
}

// finish stops, and looks for everything that was acknowledged.
func (w *writers) finish(t *testing.T, nodes []*server) {
	t.Helper()
	w.stop()
	known := mustRun(t, nodes[0].Dir, "", "user", "list", "--json")
	for _, name := range w.accounts {
		if !strings.Contains(known, `"`+name+`"`) {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	if took := time.Duration(w.longest.Load()); took > 3*time.Second {
		t.Errorf("an answer took %v", took)
	}
}
