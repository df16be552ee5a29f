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
