package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestKeyRotationUnderLoad: while keys are rotated and retired, with logins and verifications at full speed, no
// valid token is refused, and none of a retired key is accepted.
func TestKeyRotationUnderLoad(t *testing.T) {
	rotateUnderLoad(t, 10)
}

// rotateUnderLoad rotates so many times.
func rotateUnderLoad(t *testing.T, times int) {
	lag := []string{"--revocation-lag", "1s"}
	s := start(t, t.TempDir(), append(cheapHashes, lag...)...)
	old := account(t, s, "ann@example.com")
	var tokens sync.Map // of logins under way; those of the newest are tried most
	tokens.Store(0, old)
	var newest, verified, logins atomic.Int64
	var stop atomic.Bool
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for n := 0; !stop.Load(); n++ {
				token, _ := tokens.Load(int(newest.Load()) * (n % 2))
				got, err := tryRequest("GET", s.URL+"/v1/user", "", bearer(token.(string)))
				if err != nil || got.Status != http.StatusOK {
					t.Errorf("a valid token: %d %s %v", got.Status, got.Body, err)
					return
				}
				verified.Add(1)
			}
		})
	}
	wait.Go(func() {
		for !stop.Load() {
			body := loginJSON("ann@example.com", "secret1")
			got, err := tryRequest("POST", s.URL+"/v1/token", body, asJSON)
			var answer struct{ Token string }
			if err != nil || got.Status != 201 || json.Unmarshal([]byte(got.Body), &answer) != nil {
				t.Errorf("login: %d %s %v", got.Status, got.Body, err)
				return
			}
			tokens.Store(int(logins.Add(1)), answer.Token)
			newest.Store(logins.Load())
		}
	})
	key := 1
	for range times {
		key++
		mustRun(t, s.Dir, "", append(lag, "key", "rotate")...)
		await(t, fmt.Sprintf("key %d to sign", key), func() bool {
			keys := mustRun(t, s.Dir, "", append(lag, "key", "list", "--json")...)
			return strings.Contains(strings.SplitN(keys, "\n", 2)[0], `"state":"signs"`)
		})
		before := logins.Load()
		await(t, "a login with the new key", func() bool { return logins.Load() > before+1 })
	}
	stop.Store(true)
	wait.Wait()
	t.Logf("%d rotations, %d logins, %d verifications", times, logins.Load(), verified.Load())
	retired := 0
	for old := key - 1; old > 0; old-- { // the first one last: its token shows that all has been seen
		mustRun(t, s.Dir, "", append(lag, "key", "retire", strconv.Itoa(old), "--now", "--yes")...)
	}
	await(t, "the server to see it", func() bool { return statusOf(t, s, old) == 401 })
	last, _ := tokens.Load(int(newest.Load()))
	tokens.Range(func(_, token any) bool {
		if statusOf(t, s, token.(string)) == 401 {
			retired++
		}
		return true
	})
	keys := mustRun(t, s.Dir, "", append(lag, "key", "list", "--json")...)
	var left struct {
		LiveTokens int64 `json:"live_tokens"`
	}
	must(t, json.Unmarshal([]byte(keys), &left))
	if live := logins.Load() + 1 - int64(retired); live != left.LiveTokens || live == 0 || retired == 0 {
		t.Errorf("%d are accepted, %d refused, the key that is left carries %d", live, retired, left.LiveTokens)
	}
	if statusOf(t, s, last.(string)) != 200 {
		t.Error("a token of the key that is left is refused")
	}
}
