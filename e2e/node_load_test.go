//go:build e2e || torture

package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// verifiers verify a valid token on every node, some hundred times a second.
type verifiers struct {
	wait     sync.WaitGroup
	over     atomic.Bool
	verified atomic.Int64
}

// verify starts the load.
func (v *verifiers) verify(t *testing.T, nodes []*server, token string) {
	t.Cleanup(func() { v.stop() })
	for _, node := range nodes {
		v.wait.Go(func() {
			for !v.over.Load() {
				got, err := tryOnce("GET", node.URL+"/v1/verify", "", bearer(token))
				if err != nil || got.Status != 200 {
					t.Errorf("verification of a valid token: status %d, %v, want 200: %s", got.Status, err,
						got.Body)
					return
				}
				v.verified.Add(1)
				time.Sleep(2 * time.Millisecond) // the load, not a synchronisation
			}
		})
	}
}

// stop ends the load and returns the number of verifications.
func (v *verifiers) stop() int64 {
	v.over.Store(true)
	v.wait.Wait()
	return v.verified.Load()
}

// writers register accounts on all nodes and record which were acknowledged.
type writers struct {
	prefix   string // begins the names of the accounts
	wait     sync.WaitGroup
	over     atomic.Bool
	refused  atomic.Int64
	longest  atomic.Int64 // the slowest response, a time.Duration
	mu       sync.Mutex
	accounts []string
}

// start starts the load.
func (w *writers) start(t *testing.T, nodes []*server) {
	for n := range 8 {
		w.wait.Go(func() {
			for i := 0; !w.over.Load(); i++ {
				name := fmt.Sprintf("%sw%d-%d@example.com", w.prefix, n, i)
				began := time.Now()
				got, err := tryOnce("POST", nodes[n%len(nodes)].URL+"/v1/client/register",
					registerJSON(name), asJSON)
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
					t.Errorf("registration: status %d, %v, want 201 or 503: %s", got.Status, err, got.Body)
					return
				}
			}
		})
	}
}

// await waits for more acknowledgements.
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

// stop ends the load.
func (w *writers) stop() {
	w.over.Store(true)
	w.wait.Wait()
}

// finish ends the load and checks that every acknowledged account is stored.
func (w *writers) finish(t *testing.T, nodes []*server) {
	t.Helper()
	w.stop()
	known := mustRun(t, nodes[0].Dir, "", "user", "list", "--json")
	for _, name := range w.accounts {
		if !strings.Contains(known, `"`+name+`"`) {
			t.Errorf("the acknowledged account %s is lost", name)
		}
	}
	requireWithin(t, "the slowest response", time.Duration(w.longest.Load()), 3*time.Second)
}
