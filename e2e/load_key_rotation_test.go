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
	"time"
)

// cheapHashes make logins fast where they are not what is tested.
var cheapHashes = []string{"--argon2-memory", "7168", "--argon2-time", "1", "--log-level", "error"}

// account makes an account and returns a token of it.
func account(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100,"nickname":"Ann"}`, name)
	if got := request(t, "POST", s.URL+"/v1/client/register", body, asJSON); got.Status != 201 {
		t.Fatalf("register: %d %s", got.Status, got.Body)
	}
	return login(t, s, name)
}

func login(t testing.TB, s *server, name string) (token string) {
	t.Helper()
	body := fmt.Sprintf(`{"account":%q,"secret":"secret1","type":100}`, name)
	return tokenIn(t, request(t, "POST", s.URL+"/v1/token", body, asJSON))
}

// tokenIn is the token of an answer that made one.
func tokenIn(t testing.TB, got reply) string {
	t.Helper()
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != 201 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return answer.Token
}

// statusOf is the answer to GET /v1/user with a token.
func statusOf(t testing.TB, s *server, token string) int {
	t.Helper()
	return request(t, "GET", s.URL+"/v1/user", "", bearer(token)).Status
}

// TestEndedTokensSurviveKill: of 1,000 tokens that were ended, some alone and some all at once, none is accepted
// after kill -9 and a restart; those that were not are.
func TestEndedTokensSurviveKill(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	ann, bob := account(t, s, "ann@example.com"), account(t, s, "bob@example.com")
	var ended []string
	for n := range 500 {
		for _, owner := range []string{ann, bob} {
			body := fmt.Sprintf(`{"label":"service %d","lifetime":86400}`, n)
			ended = append(ended, tokenIn(t, request(t, "POST", s.URL+"/v1/tokens", body, asJSON, bearer(owner))))
		}
	}
	for n := 0; n < len(ended); n += 2 { // Ann's one by one, each by itself
		if got := request(t, "DELETE", s.URL+"/v1/token", "", bearer(ended[n])); got.Status != 202 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	if got := request(t, "DELETE", s.URL+"/v1/tokens?all=1", "", bearer(bob)); got.Status != 202 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	s.kill()
	s = start(t, s.Dir, cheapHashes...)
	refused := 0
	for _, token := range ended {
		if statusOf(t, s, token) == 401 {
			refused++
		}
	}
	if refused != len(ended) {
		t.Errorf("%d of %d are refused", refused, len(ended))
	}
	if statusOf(t, s, ann) != 200 || statusOf(t, s, login(t, s, "bob@example.com")) != 200 {
		t.Error("a token that was not ended, or a new one, is refused")
	}
}

// TestCommandEndsTokens: a command in another process is seen by the running server soon. How soon is logged; half
// of them within 250 ms, whatever else the machine does.
func TestCommandEndsTokens(t *testing.T) {
	s := start(t, t.TempDir(), cheapHashes...)
	owner := account(t, s, "ann@example.com")
	const times = 40
	var took []time.Duration
	for n := range times {
		body := fmt.Sprintf(`{"label":"service %d","lifetime":86400}`, n)
		token := tokenIn(t, request(t, "POST", s.URL+"/v1/tokens", body, asJSON, bearer(owner)))
		if statusOf(t, s, token) != 200 {
			t.Fatal("a new token is refused")
		}
		mustRun(t, s.Dir, "", "token", "revoke", token)
		began := time.Now()
		await(t, "the server to refuse the token", func() bool { return statusOf(t, s, token) == 401 })
		took = append(took, time.Since(began))
	}
	all := quantilesOf(took)
	t.Logf("refused after the command had ended: %v", all)
	if all.p50 > 250*time.Millisecond {
		t.Errorf("half of them took longer than %v", all.p50)
	}
	if statusOf(t, s, owner) != 200 {
		t.Error("another token is refused")
	}
}

// TestCommandsExplain: what the commands say of tokens and keys.
func TestCommandsExplain(t *testing.T) {
	s := start(t, t.TempDir(), append(cheapHashes, "--scope", "read", "--scope", "metrics")...)
	ann := account(t, s, "ann@example.com")
	token := tokenIn(t, request(t, "POST", s.URL+"/v1/tokens", `{"label":"CI","scope":"metrics","lifetime":3600}`,
		asJSON, bearer(ann)))
	id := strings.Fields(mustRun(t, s.Dir, "", "token", "list", "ann@example.com"))[9]
	if got := mustRun(t, s.Dir, "", "token", "list", "ann@example.com"); !strings.Contains(got, "metrics") ||
		!strings.Contains(got, "CI") || strings.Contains(got, token) {
		t.Errorf("list: %s", got)
	}
	if got := mustRun(t, s.Dir, "", "token", "inspect", token); !strings.Contains(got, `Valid: token `) ||
		!strings.Contains(got, `"CI" of ann@example.com (user 1, active), e-mail, metrics`) {
		t.Errorf("inspect: %s", got)
	}
	mustRun(t, s.Dir, "", "token", "revoke", id)
	mustRun(t, s.Dir, "", "token", "revoke", "--all", "ann@example.com")
	if got := mustRun(t, s.Dir, "", "token", "inspect", token); !strings.Contains(got, "it was ended 20") ||
		!strings.Contains(got, "(ended on the command line)") {
		t.Errorf("inspect: %s", got)
	}
	read := mustRun(t, s.Dir, "", "token", "issue", "ann@example.com", "--scope", "read", "--label", "backup")
	if got := request(t, "POST", s.URL+"/v1/token/secret", fmt.Sprintf(`{"token":%q}`, read), asJSON); got.Status != 200 ||
		!strings.Contains(got.Body, `"scope":"read"`) {
		t.Errorf("introspection: %d %s", got.Status, got.Body)
	}
	if got := mustRun(t, s.Dir, "", "key", "list"); !strings.Contains(got, "signs") {
		t.Errorf("key list: %s", got)
	}
	for _, refused := range [][]string{
		{"token", "revoke"}, {"token", "revoke", "x"}, {"token", "revoke", "9-1795421052-0"},
		{"token", "revoke", read, "--all", "ann@example.com"}, {"key", "retire", "1"}, {"key", "retire", "99", "--now"},
		{"token", "issue", "ann@example.com", "--scope", "write"}, {"token", "list", "nobody@example.com"},
		{"--revocation-lag", "1ms", "user", "list"}, {"--key-rotation", "1s", "user", "list"},
		{"--token-ttl", "1000h", "user", "list"}, {"serve", "--addr", "127.0.0.1:0", "--scope", "Not A Name"},
	} {
		if out, said, code := latchkey(t, s.Dir, "", refused...); code == 0 || strings.Count(said, "\n") != 1 {
			t.Errorf("%v: exit %d, %q, %q", refused, code, out, said)
		}
	}
}

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
			body := `{"account":"ann@example.com","secret":"secret1","type":100}`
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
		mustRun(t, s.Dir, "", append(lag, "key", "retire", strconv.Itoa(old), "--now")...)
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
