package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is what the server acknowledged: accounts it made, tokens it gave and tokens it revoked.
type ledger struct {
	mu       sync.Mutex
	accounts []string
	live     []string
	revoked  []string
	checked  int           // verifications while all this was written
	answered chan struct{} // one for each acknowledgement
}

// note takes down what was acknowledged.
func (l *ledger) note(list *[]string, what string) {
	l.mu.Lock()
	*list = append(*list, what)
	l.mu.Unlock()
	l.answered <- struct{}{}
}

// work makes an account, logs it in and ends every other token, until the server is gone.
func (l *ledger) work(url, prefix string) {
	for n := 0; ; n++ {
		account := fmt.Sprintf("%s-%d@example.com", prefix, n)
		body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, account)
		got, err := tryRequest("POST", url+"/v1/client/register", body, asJSON)
		if err != nil || got.Status != 201 {
			return
		}
		l.note(&l.accounts, account)
		got, err = tryRequest("POST", url+"/v1/token", body, asJSON)
		var answer struct{ Token string }
		if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &answer) != nil {
			return
		}
		if n%2 == 0 {
			l.note(&l.live, answer.Token)
			continue
		}
		got, err = tryRequest("DELETE", url+"/v1/token", "", bearer(answer.Token))
		if err != nil || got.Status != 202 {
			return
		}
		l.note(&l.revoked, answer.Token)
	}
}

// verify asks about the newest live and the newest revoked token in turns, until the server is gone.
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
		got, err := tryRequest("GET", url+"/v1/verify", "", bearer(token))
		if err != nil {
			return
		}
		if l.checked++; got.Status != want {
			t.Errorf("verification under load: %d, want %d", got.Status, want)
		}
	}
}

// killRepeatedly kills the server under load so many times; everything answered must be there afterwards.
func killRepeatedly(t *testing.T, times int) {
	dir, all := t.TempDir(), &ledger{}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	live, revoked := 0, 0 // the first tokens of the round before
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
			wait.Go(func() { all.work(s.URL, fmt.Sprintf("r%d-w%d", round, writer)) })
		}
		wait.Go(func() { all.verify(t, s.URL) })
		for range 1 + random.IntN(12) { // the moment of the kill: after so many answers
			select {
			case <-all.answered:
			case <-time.After(10 * time.Second):
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
	t.Logf("%d kills; acknowledged %d accounts, %d tokens, %d ends of tokens, 0 lost; %d verifications under load; "+
		"the start afterwards: %v", times, len(all.accounts), len(all.live), len(all.revoked), all.checked,
		quantilesOf(starts))
}

// requireStatus has every token answered so.
func requireStatus(t *testing.T, s *server, tokens []string, want int) {
	t.Helper()
	for _, token := range tokens {
		if got := statusOf(t, s, token); got != want {
			t.Errorf("after a restart: %d, want %d", got, want)
		}
	}
}

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

// TestKill: kill -9 under load, a hundred times.
func TestKill(t *testing.T) { killRepeatedly(t, 100) }
