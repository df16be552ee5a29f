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

// ledger is what the server acknowledged: accounts it made and tokens it gave.
type ledger struct {
	mu       sync.Mutex
	accounts []string
	tokens   []string
	answered chan struct{} // one for each
}

// note takes down what was acknowledged.
func (l *ledger) note(account, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if account != "" {
		l.accounts = append(l.accounts, account)
	} else {
		l.tokens = append(l.tokens, token)
	}
	l.answered <- struct{}{}
}

// work makes an account and logs it in, until the server is gone.
func (l *ledger) work(url, prefix string) {
	for n := 0; ; n++ {
		account := fmt.Sprintf("%s-%d@example.com", prefix, n)
		body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, account)
		got, err := tryRequest("POST", url+"/v1/client/register", body, asJSON)
		if err != nil || got.Status != 201 {
			return
		}
		l.note(account, "")
		got, err = tryRequest("POST", url+"/v1/token", body, asJSON)
		var answer struct{ Token string }
		if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &answer) != nil {
			return
		}
		l.note("", answer.Token)
	}
}

// killRepeatedly kills the server under load so many times; everything answered must be there afterwards.
func killRepeatedly(t *testing.T, times int) {
	dir, all := t.TempDir(), &ledger{}
	cheap := []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "error"}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	last := 0 // the first token of the round before
	for round := range times {
		s := start(t, dir, cheap...)
		for _, token := range all.tokens[last:] {
			if got := request(t, "GET", s.URL+"/v1/user", "", basic(token, "")); got.Status != 200 {
				t.Fatalf("round %d: a token is lost: %s", round, got.Body)
			}
		}
		last = len(all.tokens)
		all.answered = make(chan struct{}, 1000)
		var wait sync.WaitGroup
		for writer := range 3 {
			wait.Go(func() { all.work(s.URL, fmt.Sprintf("r%d-w%d", round, writer)) })
		}
		for range 1 + random.IntN(12) { // the moment of the kill: after so many answers
			<-all.answered
		}
		s.kill()
		wait.Wait()
	}
	requireAccounts(t, dir, all.accounts)
	t.Logf("%d kills, %d accounts and %d tokens acknowledged, 0 lost", times, len(all.accounts), len(all.tokens))
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
