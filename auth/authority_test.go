package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"latchkey/client/wire"
	"latchkey/models"
	"latchkey/models/modelstest"
	"latchkey/models/postgrestest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(postgrestest.Main()), goleak.IgnoreCurrent())
}

// cheap are the smallest parameters allowed, so that tests spend their time elsewhere.
var cheap = Params{MemoryKiB: minMemoryKiB, Time: 1, Threads: 1}

// newAuthority is an Authority over a new database.
func newAuthority(t testing.TB, options Options) *Authority {
	t.Helper()
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	return openAuthority(t, dir, secret, options)
}

func openAuthority(t testing.TB, dir string, secret MasterKey, options Options) *Authority {
	t.Helper()
	ctx := context.Background()
	store, err := modelstest.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ring, err := LoadKeyRing(ctx, store, secret, filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	if options.Params == (Params{}) {
		options.Params = cheap
	}
	a, err := NewAuthority(ctx, store, ring, options)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func register(t testing.TB, a *Authority, account string) models.User {
	t.Helper()
	user, err := a.Register(context.Background(), Registration{Account: account, Password: "secret1",
		Nickname: "Ann", ClientType: models.TypeOf(account)}, models.RoleUser)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func login(a *Authority, account, secret string) (Issued, error) {
	return a.Login(context.Background(), Login{Account: account, Password: secret,
		ClientType: models.TypeOf(account)})
}

func mustLogin(t testing.TB, a *Authority, account string) Issued {
	t.Helper()
	issued, err := login(a, account, "secret1")
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func TestLogin(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "Ann@Example.com")
	register(t, a, "+8613800000000")
	disabled := register(t, a, "off@example.com")
	if err := a.SetState(t.Context(), disabled.ID, models.Disabled); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, account, secret string
		kind                  models.ClientType
		want                  error
	}{
		{"OK", "Ann@Example.com", "secret1", models.EMail, nil},
		{"OK/another spelling", "aNN@eXAMPLE.COM", "secret1", models.EMail, nil},
		{"OK/mobile without plus", "8613800000000", "secret1", models.Mobile, nil},
		{"ErrUnknownAccount", "bob@example.com", "secret1", models.EMail, ErrUnknownAccount},
		{"ErrUnknownAccount/other type", "ann@example.com", "secret1", models.Mobile, ErrUnknownAccount},
		{"ErrWrongSecret", "ann@example.com", "secret2", models.EMail, ErrWrongPassword},
		{"ErrWrongSecret/trailing blank", "ann@example.com", "secret1 ", models.EMail, ErrWrongPassword},
		{"ErrWrongSecret/disabled", "off@example.com", "secret1", models.EMail, ErrWrongPassword},
		{"ErrClientType", "ann@example.com", "secret1", models.MiniProgram, ErrClientType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			issued, err := a.Login(t.Context(),
				Login{Account: test.account, Password: test.secret, ClientType: test.kind})
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if _, verify := a.Verify(issued.Token); (verify == nil) != (test.want == nil) {
				t.Errorf("token %q: %v", issued.Token, verify)
			}
		})
	}
}

func TestRegisterReportsEverythingAtOnce(t *testing.T) {
	a := newAuthority(t, Options{})
	register(t, a, "ann@example.com")
	tests := []struct {
		name string
		r    Registration
		want string
	}{
		{"nothing given", Registration{ClientType: models.EMail},
			"account: This field is required.; nickname: This field is required.; " +
				"secret: This field is required."},
		{"taken, short, short", Registration{Account: "ANN@example.com", Password: "12345", Nickname: "d",
			ClientType: models.EMail}, "account: This account is already registered.; nickname: Field must " +
			"be between 2 and 22 characters long.; secret: At least 6 characters."},
		{"unknown type", Registration{Account: "a@b.cn", Password: "secret1", Nickname: "dd", ClientType: 999},
			"type: 999 is not a valid ClientTypeEnum"},
		{"long secret", Registration{Account: "a@b.cn", Password: strings.Repeat("x", MaxPassword+1),
			Nickname: "dd", ClientType: models.EMail}, "secret: At most 1024 bytes."},
		{"broken text", Registration{Account: "a@b.cn", Password: "secret\xff", Nickname: "d\xffd",
			ClientType: models.EMail}, "nickname: This text holds characters that cannot be shown.; " +
			"secret: The password is not valid Unicode text."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := a.Register(t.Context(), test.r, models.RoleUser)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestEveryChangeEndsEveryToken: each way an account can change refuses the tokens it had, and a token issued
// within the same second is accepted.
func TestEveryChangeEndsEveryToken(t *testing.T) {
	changes := map[string]func(a *Authority, uid uint32) error{
		"secret":  func(a *Authority, uid uint32) error { return a.SetPassword(t.Context(), uid, "secret1") },
		"role":    func(a *Authority, uid uint32) error { return a.SetRole(t.Context(), uid, 2) },
		"disable": func(a *Authority, uid uint32) error { return a.SetState(t.Context(), uid, models.Disabled) },
		"enable":  func(a *Authority, uid uint32) error { return a.SetState(t.Context(), uid, models.Active) },
		"delete":  func(a *Authority, uid uint32) error { return a.Delete(t.Context(), uid) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t, Options{})
			user := register(t, a, "ann@example.com")
			other := mustLogin(t, a, register(t, a, "bob@example.com").Account)
			first, second := mustLogin(t, a, user.Account), mustLogin(t, a, user.Account)
			if err := change(a, user.ID); err != nil {
				t.Fatal(err)
			}
			for _, old := range []Issued{first, second} {
				if _, err := a.Verify(old.Token); !errors.Is(err, errRevoked) {
					t.Errorf("an old token: %v", err)
				}
				if _, err := a.IssueLike(t.Context(), old.Identity, Client{}); !errors.Is(err, errRevoked) {
					t.Errorf("one more from an old token: %v", err)
				}
			}
			if _, err := a.Verify(other.Token); err != nil {
				t.Errorf("somebody else's token: %v", err)
			}
			if name == "disable" || name == "delete" {
				return
			}
			if _, err := a.Verify(mustLogin(t, a, user.Account).Token); err != nil {
				t.Errorf("a new token: %v", err)
			}
		})
	}
}

// TestEndingsSurviveAndTravel: an ended token stays ended in another process and after a restart.
func TestEndingsSurviveAndTravel(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
	register(t, here, "ann@example.com")
	one, two := mustLogin(t, here, "ann@example.com"), mustLogin(t, here, "ann@example.com")
	if err := here.Revoke(t.Context(), one.Identity.TokenID, "test"); err != nil {
		t.Fatal(err)
	}
	if err := there.follower.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := openAuthority(t, dir, secret, Options{})
	for name, a := range map[string]*Authority{"here": here, "there": there, "restarted": again} {
		if _, err := a.Verify(one.Token); !errors.Is(err, errRevoked) {
			t.Errorf("%s: the ended token: %v", name, err)
		}
		if _, err := a.Verify(two.Token); err != nil {
			t.Errorf("%s: the other token: %v", name, err)
		}
	}
}

// TestFollow: a change by another process is seen by one that follows, and following stops with its context.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { there.Run(ctx) })
	user := register(t, here, "ann@example.com")
	token := mustLogin(t, here, user.Account).Token
	if err := here.SetState(t.Context(), user.ID, models.Disabled); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := there.Verify(token); errors.Is(err, errRevoked) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the ending was not seen")
		}
	}
	stop()
	wait.Wait()
}

// TestJoin: a node that joins knows the key that has just begun to sign, and no other signs that it does not know.
func TestJoin(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	here, there := openAuthority(t, dir, secret, Options{}), openAuthority(t, dir, secret, Options{})
	user := register(t, here, "ann@example.com")
	rotate := func(signs bool) {
		t.Helper()
		made, err := here.RotateKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := here.ring.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := here.ring.now.Load().signing(time.Now().Unix()).id == made.ID; got != signs {
			t.Errorf("the new key signs: %v", got)
		}
	}
	rotate(here.store.Shared())
	if err := there.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, there, "a token of the key that signs now", mustLogin(t, here, user.Account).Token)
	if here.store.Shared() {
		rotate(false)
	}
}

// TestStale: who cannot follow the ended tokens accepts no token.
func TestStale(t *testing.T) {
	a := newAuthority(t, Options{Lag: time.Nanosecond})
	register(t, a, "ann@example.com")
	if _, err := a.Verify(mustLogin(t, a, "ann@example.com").Token); !errors.Is(err, ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
}

// TestSerials: 4,097 tokens of one user in one second: no id twice, and a clear answer to the last.
func TestSerials(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	n := models.NewToken{UID: user.ID, Kind: models.LoginToken, ClientType: models.EMail,
		Scope: models.UserScope, Lifetime: 60}
	seen, perSecond := map[models.TokenID]bool{}, map[int64]int{}
	for len(seen) < 5000 {
		issued, err := a.issue(t.Context(), n)
		if errors.Is(err, models.ErrSerialsExhausted) {
			if most := slices.Max(slices.Collect(mapValues(perSecond))); most != models.MaxSerial+1 {
				t.Errorf("refused after %d in a second", most)
			}
			return
		}
		if err != nil || seen[issued.Identity.TokenID] {
			t.Fatalf("%s: %v", issued.Identity.TokenID, err)
		}
		seen[issued.Identity.TokenID] = true
		perSecond[issued.Identity.TokenID.IssuedAt]++
	}
}

func mapValues(m map[int64]int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestLoginRacesChange: a login with the old secret that is under way while the secret changes gives no token
// that outlives the change.
func TestLoginRacesChange(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	for round := range 20 {
		var wait sync.WaitGroup
		tokens := make(chan string, 4)
		for range 4 {
			wait.Go(func() {
				if issued, err := login(a, user.Account, fmt.Sprintf("secret%d", round+1)); err == nil {
					tokens <- issued.Token
				}
			})
		}
		if err := a.SetPassword(t.Context(), user.ID, fmt.Sprintf("secret%d", round+2)); err != nil {
			t.Fatal(err)
		}
		after, err := login(a, user.Account, fmt.Sprintf("secret%d", round+2))
		if err != nil {
			t.Fatal(err)
		}
		wait.Wait()
		close(tokens)
		for token := range tokens {
			if _, err := a.Verify(token); err == nil {
				t.Fatal("a token of the old secret is accepted after the change")
			}
		}
		if _, err := a.Verify(after.Token); err != nil {
			t.Fatalf("a login with the new secret: %v", err)
		}
	}
}

func TestSetup(t *testing.T) {
	a := newAuthority(t, Options{})
	token, err := a.SetupToken()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(token); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("a setup token used as a token: %v", err)
	}
	r := Registration{Account: "root@example.com", Password: "secret1", Nickname: "Root", ClientType: models.EMail}
	if _, err := a.Setup(t.Context(), "x", r); !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("a wrong link: %v", err)
	}
	var wait sync.WaitGroup
	made := make(chan error, 8)
	for n := range 8 {
		wait.Go(func() {
			mine := r
			mine.Account = fmt.Sprintf("root%d@example.com", n)
			_, err := a.Setup(context.Background(), token, mine)
			made <- err
		})
	}
	wait.Wait()
	close(made)
	won := 0
	for err := range made {
		if err == nil {
			won++
		} else if !errors.Is(err, models.ErrSetupDone) && !errors.Is(err, wire.ErrTokenInvalid) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d administrators made by one link", won)
	}
}

func TestRehash(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	register(t, openAuthority(t, dir, secret, Options{}), "ann@example.com")
	dearer := openAuthority(t, dir, secret, Options{Params: Params{minMemoryKiB, 2, 1}})
	token := mustLogin(t, dearer, "ann@example.com").Token
	found, err := dearer.store.Credentials(t.Context(), "ann@example.com")
	if err != nil || dearer.hasher.outdated(found.PasswordHash) {
		t.Errorf("the hash was not replaced: %v", err)
	}
	if _, err := dearer.Verify(token); err != nil {
		t.Errorf("a new hash of the same secret ended a token: %v", err)
	}
}

func TestHasher(t *testing.T) {
	h, err := newHasher(cheap)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"p", "p ", "p\x00", "пароль 密码", strings.Repeat("x", MaxPassword)} {
		hash, err := h.hash(t.Context(), origin{}, secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{secret, secret + " ", secret[:len(secret)-1], ""} {
			right, err := h.verify(t.Context(), origin{}, other, hash)
			if err != nil || right != (other == secret) {
				t.Errorf("%q against the hash of %q: %v, %v", other, secret, right, err)
			}
		}
	}
	if right, err := h.verify(t.Context(), origin{}, "", ""); right || err != nil {
		t.Errorf("no account: %v, %v", right, err)
	}
	hostile := "$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA"
	if _, err := h.verify(t.Context(), origin{}, "x", hostile); !errors.Is(err, ErrHash) {
		t.Errorf("a hostile hash: %v", err)
	}
}

// TestKeyRing: keys are only ever made while there is no account, and never in the place of other nodes' keys.
func TestKeyRing(t *testing.T) {
	dir := t.TempDir()
	secret, err := CreateMasterKey(filepath.Join(dir, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	a := openAuthority(t, dir, secret, Options{})
	elsewhere := filepath.Join(t.TempDir(), "secret")
	other, err := CreateMasterKey(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	var want error
	if a.store.Shared() {
		want = ErrMasterKeyWrong
	}
	if _, err := LoadKeyRing(t.Context(), a.store, other, elsewhere); !errors.Is(err, want) {
		t.Errorf("a lost secret before the first account: %v", err)
	}
	a = openAuthority(t, filepath.Dir(elsewhere), other, Options{})
	register(t, a, "ann@example.com")
	wrong := filepath.Join(dir, "secret")
	if _, err := LoadKeyRing(t.Context(), a.store, secret, wrong); !errors.Is(err, ErrMasterKeyWrong) {
		t.Errorf("a wrong secret beside accounts: %v", err)
	}
	if _, err := LoadKeyRing(t.Context(), a.store, other, elsewhere); err != nil {
		t.Errorf("the right secret: %v", err)
	}
}

func TestInspect(t *testing.T) {
	a := newAuthority(t, Options{})
	user := register(t, a, "ann@example.com")
	token := mustLogin(t, a, user.Account).Token
	for text, want := range map[string]string{
		"": "not 56 characters", token: "Valid: token", token + "A": "not 56 characters",
		strings.Repeat("!", wire.TokenLength): "other than A-Z", strings.Repeat("A", wire.TokenLength): "not signed by a key",
	} {
		in, err := a.Inspect(t.Context(), text)
		if err != nil || !strings.Contains(in.String(), want) || strings.Contains(in.String(), token) {
			t.Errorf("%q: %q, %v, want %q", text, in, err, want)
		}
	}
	if err := a.Delete(t.Context(), user.ID); err != nil {
		t.Fatal(err)
	}
	if in, err := a.Inspect(t.Context(), token); err != nil || !strings.Contains(in.String(), "Refused") {
		t.Errorf("%q, %v", in, err)
	}
}
