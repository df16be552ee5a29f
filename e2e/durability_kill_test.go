package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger records what the server acknowledged: accounts, tokens and revocations.
type ledger struct {
	mu       sync.Mutex
	accounts []string
	live     []string      // tokens
	revoked  []string      // tokens
	checked  int           // verifications meanwhile
	answered chan struct{} // receives one value for each acknowledgement
}

// record adds an acknowledged account or token to a list.
func (l *ledger) record(list *[]string, entry string) {
	l.mu.Lock()
	*list = append(*list, entry)
	l.mu.Unlock()
	l.answered <- struct{}{}
}

// work registers accounts, logs in and revokes every other token until the server is killed.
func (l *ledger) work(t *testing.T, url, prefix string) {
	for n := 0; ; n++ {
		err := l.workOnce(url, fmt.Sprintf("%s-%d@example.com", prefix, n), n%2 == 1)
		switch {
		case errors.Is(err, errBusy): // on a slow machine beside other work; the next account
		case errors.Is(err, errRefused):
			t.Error(err)
			return
		case err != nil:
			return
		}
	}
}

// Why a server did not acknowledge a request, other than by being killed.
var (
	errBusy    = errors.New("the server is busy")
	errRefused = errors.New("the server refuses a valid request")
)

// workOnce registers an account, logs in and, if asked, revokes the token.
func (l *ledger) workOnce(url, account string, revoke bool) error {
	body := registerJSON(account)
	if _, err := accepted(201, "POST", url+"/v1/client/register", body, asJSON); err != nil {
		return err
	}
	l.record(&l.accounts, account)
	got, err := accepted(201, "POST", url+"/v1/token", body, asJSON)
	var issued struct{ Token string }
	if err == nil {
		err = json.Unmarshal([]byte(got), &issued)
	}
	if err != nil {
		return err
	}
	if !revoke {
		l.record(&l.live, issued.Token)
		return nil
	}
	if _, err = accepted(202, "DELETE", url+"/v1/token", "", bearer(issued.Token)); err == nil {
		l.record(&l.revoked, issued.Token)
	}
	return err
}

// accepted sends a request that should get a status, and returns the body. Errors: errBusy,
// errRefused, and why there is no response.
func accepted(status int, method, url, body string, headers ...string) (string, error) {
	got, err := tryOnce(method, url, body, headers...)
	switch {
	case err != nil:
		return "", err
	case got.busy():
		return "", errBusy
	case got.Status != status:
		return "", fmt.Errorf("%w: %s %s: status %d, want %d: %s", errRefused, method, url, got.Status, status,
			got.Body)
	}
	return got.Body, nil
}

// verify checks the newest live and the newest revoked token in turns until the server is killed.
func (l *ledger) verify(t *testing.T, url string) {
	for n := 0; ; n++ {
		l.mu.Lock()
		list, want := l.live, 200
		if n%2 == 1 {
			list, want = l.revoked, 401
		}
		token := "none"
		if len(list) > 0 {
			token = list[len(list)-1]
		} else {
			want = 401
		}
		l.mu.Unlock()
		got, err := tryOnce("GET", url+"/v1/verify", "", bearer(token))
		if err != nil {
			return
		}
		if l.checked++; got.Status != want && !got.busy() {
			t.Errorf("verification under load: status %d, want %d", got.Status, want)
		}
	}
}

// killRepeatedly kills the server under load. Everything it acknowledged must be there afterwards.
func killRepeatedly(t *testing.T, times int) {
	dir, all := t.TempDir(), &ledger{}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	live, revoked := 0, 0 // how many tokens are checked already
	var starts []time.Duration
	for round := range times {
		started := time.Now()
		s := start(t, dir, append(cheapHashes, "--log-level", "error")...)
		starts = append(starts, time.Since(started))
		requireStatus(t, s, all.live[live:], 200)
		requireStatus(t, s, all.revoked[revoked:], 401)
		live, revoked = len(all.live), len(all.revoked)
		all.answered = make(chan struct{}, 1000)
		var wait sync.WaitGroup
		for writer := range 3 {
			wait.Go(func() { all.work(t, s.URL, fmt.Sprintf("r%d-w%d", round, writer)) })
		}
		wait.Go(func() { all.verify(t, s.URL) })
		for range 1 + random.IntN(12) { // the kill comes at a random moment
			select {
			case <-all.answered:
			case <-time.After(patience):
				t.Fatal("the server acknowledges nothing")
			}
		}
		s.kill()
		wait.Wait()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	last := start(t, dir, cheapHashes...)
	requireStatus(t, last, all.revoked, 401)
	last.kill()
	requireAccounts(t, dir, all.accounts)
	t.Logf("%d kills; %d accounts, %d tokens and %d revocations acknowledged, none lost; "+
		"%d verifications under load; next start: %v", times, len(all.accounts), len(all.live),
		len(all.revoked), all.checked, quantilesOf(starts))
}

// requireStatus checks the status of GET /v1/user with each token.
func requireStatus(t *testing.T, s *server, tokens []string, want int) {
	t.Helper()
	for _, token := range tokens {
		if got := statusOf(t, s, token); got != want {
			t.Errorf("a token after a restart: status %d, want %d", got, want)
		}
	}
}

// requireAccounts checks that the accounts are stored.
func requireAccounts(t *testing.T, dir string, accounts []string) {
	t.Helper()
	stored := map[string]bool{}
	for line := range strings.SplitSeq(mustRun(t, dir, "", "user", "list", "--json"), "\n") {
		var user struct{ Account string }
		must(t, json.Unmarshal([]byte(line), &user))
		stored[user.Account] = true
	}
	for _, account := range accounts {
		if !stored[account] {
			t.Errorf("%s is lost", account)
		}
	}
}

// TestKill kills the server under load (SIGKILL) a hundred times.
func TestKill(t *testing.T) {
	t.Parallel()
	killRepeatedly(t, 100)
}
