package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"latchkey/client/wire"
	"latchkey/models"
)

// TestSetup: a setup link creates one administrator, even if it is used many times at once.
func TestSetup(t *testing.T) { frozen(t, testSetup) }

func testSetup(t *testing.T) {
	a := newAuthority(t, Options{})
	token, err := a.SetupToken()
	must(t, err)
	mustReject(t, a, "a setup token as a token", token, wire.ErrTokenInvalid)
	registration := func(n int) Registration {
		return Registration{Account: fmt.Sprintf("root%d@example.com", n), Password: "secret1",
			Nickname: "Root", ClientType: models.EMail}
	}
	_, err = a.Setup(t.Context(), "x", registration(0))
	if !errors.Is(err, wire.ErrTokenInvalid) {
		t.Errorf("a wrong link: %v, want ErrTokenInvalid", err)
	}
	var wait sync.WaitGroup
	results := make(chan error, 8)
	for n := range cap(results) {
		wait.Go(func() {
			_, err := a.Setup(context.Background(), token, registration(n))
			results <- err
		})
	}
	wait.Wait()
	close(results)
	created := 0
	for err := range results {
		if err == nil {
			created++
		} else if !errors.Is(err, models.ErrSetupDone) && !errors.Is(err, wire.ErrTokenInvalid) {
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("one link created %d administrators", created)
	}
}

// TestReset: a reset link sets a new password, once, and a newer link replaces it.
func TestReset(t *testing.T) {
	frozen(t, func(t *testing.T) {
		a := newAuthority(t, Options{})
		user := register(t, a, "ann@example.com")
		link := func() string {
			t.Helper()
			token, _, err := a.ResetToken(t.Context(), user.ID)
			must(t, err)
			return token
		}
		replaced, token := link(), link()
		mustReject(t, a, "a reset token as a token", token, wire.ErrTokenInvalid)
		for _, step := range []struct {
			name, token string
			want        error
		}{{"replaced", replaced, errLinkUsed}, {"first use", token, nil}, {"second use", token, errLinkUsed}} {
			err := a.Reset(t.Context(), step.token, "secret2", "")
			if !errors.Is(err, step.want) {
				t.Errorf("%s: %v, want %v", step.name, err, step.want)
			}
		}
		if _, err := login(a, user.Account, "secret2"); err != nil {
			t.Errorf("the new password: %v", err)
		}
	})
}
